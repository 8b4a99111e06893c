package io.tokenledger.server;

import io.tokenledger.audit.EventCatalogue;
import io.tokenledger.audit.EventDescription;
import io.tokenledger.audit.EventType;
import io.tokenledger.audit.RetentionClass;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.List;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** The catalogue of events and routes, for auditors and their tools. */
@RestController
class CatalogueRoutes {

  static final String EVENT_TYPES = "/api/v1/audit/event-types";

  private final AuditReads audits;

  CatalogueRoutes(AuditReads audits) {
    this.audits = audits;
  }

  /** Says nothing about what happened, so that reading it is no read of the audit log. */
  @GetMapping(EVENT_TYPES)
  void eventTypes(HttpServletRequest request, HttpServletResponse response) throws IOException {
    audits.require(request);
    Answers.write(response, 200, json().toString());
  }

  private static ObjectNode json() {
    ObjectNode json = JsonText.object();
    ArrayNode types = json.putArray("event_types");
    for (EventType type : EventType.values()) {
      types.add(json(type));
    }
    addFields(json.putArray("envelope"), EventCatalogue.envelope());
    ArrayNode routes = json.putArray("routes");
    for (RouteCatalogue.Row row : RouteCatalogue.ROWS) {
      ObjectNode route = routes.addObject();
      route.put("method", row.method());
      route.put("path", row.path());
      route.put("permission", row.permission());
      ArrayNode appends = route.putArray("appends");
      row.appends().forEach(type -> appends.add(type.storedName()));
    }
    return json;
  }

  private static ObjectNode json(EventType type) {
    EventDescription row = EventCatalogue.of(type);
    ObjectNode json = JsonText.object();
    json.put("name", type.storedName());
    json.putArray("revisions").add(type.revision());
    json.put("says", row.says());
    json.put("action", type.action());
    json.put("retention_class", RetentionClass.of(type).wireName());
    ArrayNode triggers = json.putArray("triggers");
    row.commands().forEach(command -> triggers.add(command.getSimpleName()));
    RouteCatalogue.ROWS.stream()
        .filter(route -> route.appends().contains(type))
        .forEach(route -> triggers.add(route.method() + " " + route.path()));
    row.triggers().forEach(triggers::add);
    addFields(json.putArray("fields"), row.fields());
    ObjectNode ocsf = json.putObject("ocsf");
    ocsf.put("class_uid", row.ocsf().classUid());
    ocsf.put("activity_id", row.ocsf().activityId());
    ArrayNode controls = json.putArray("controls");
    row.controls().forEach(controls::add);
    return json;
  }

  private static void addFields(ArrayNode array, List<EventDescription.Field> fields) {
    for (EventDescription.Field field : fields) {
      ObjectNode node = array.addObject();
      node.put("name", field.name());
      node.put("type", field.type());
      node.put("class", field.fieldClass().wireName());
    }
  }
}
