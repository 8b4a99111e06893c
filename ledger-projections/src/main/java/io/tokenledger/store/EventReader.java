package io.tokenledger.store;

import io.tokenledger.audit.EventType;
import io.tokenledger.store.Upcasters.Form;
import io.tokenledger.store.Upcasters.Payload;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * The one place where a stored row becomes events: followers, replays and Axon all read through it,
 * so that an old revision means the same everywhere.
 */
public final class EventReader {

  /** Reads all that this version and those before it ever stored. */
  public static final EventReader CURRENT = new EventReader(Upcasters.CURRENT);

  private static final JsonMapper JSON = JsonMapper.shared();

  private final Upcasters upcasters;

  public EventReader(Upcasters upcasters) {
    this.upcasters = upcasters;
  }

  /**
   * What a stored row means today: one event as a rule, several where its type was split since,
   * none where it was retired.
   *
   * @throws UnreadableEvent when the type or revision is unknown, or the payload does not fit it
   */
  public List<Object> read(String type, @Nullable String revision, String payload) {
    if (isCurrent(type, revision)) {
      return List.of(EventJson.read(type, revision, payload));
    }
    List<Object> events = new ArrayList<>();
    for (Payload latest : latest(type, revision, payload)) {
      events.add(
          EventJson.read(latest.form().type(), latest.form().revision(), latest.json().toString()));
    }
    return events;
  }

  /** Whether a row of that form is read as it stands. */
  public boolean isCurrent(String type, @Nullable String revision) {
    return revision == null || !upcasters.know(new Form(type, revision));
  }

  /**
   * The payloads that a stored row of an earlier form comes to, in today's.
   *
   * @throws UnreadableEvent when that cannot be said
   */
  public List<Payload> latest(String type, @Nullable String revision, String payload) {
    try {
      return upcasters.latest(
          new Payload(new Form(type, String.valueOf(revision)), JSON.readTree(payload)));
    } catch (JacksonException
        | IllegalArgumentException
        | DateTimeException
        | NullPointerException e) {
      throw new UnreadableEvent("broken payload of revision " + revision + " of " + type, e);
    }
  }

  /** Every form that can be read: today's of the catalogue, and the earlier ones. */
  public boolean reads(String type, String revision) {
    return upcasters.know(new Form(type, revision))
        || EventType.named(type).filter(known -> known.revision().equals(revision)).isPresent();
  }

  /**
   * Whoever can change rows can make the time of one none, and who casts it would fail.
   *
   * @param occurredAt as stored
   * @throws UnreadableEvent when it is no time
   */
  public static void requireTime(String occurredAt) {
    try {
      Instant.parse(occurredAt);
    } catch (DateTimeException e) {
      throw new UnreadableEvent("broken time", e);
    }
  }
}
