package io.tokenledger.ledger;

import static java.util.Objects.requireNonNull;

import io.tokenledger.audit.EventType;
import io.tokenledger.audit.Outcome;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.lookup.LookupTable;
import io.tokenledger.permission.Permissions;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.sealing.Envelopes.Change;
import io.tokenledger.sealing.Envelopes.What;
import io.tokenledger.store.EventJson;
import io.tokenledger.store.EventReader;
import io.tokenledger.store.EventTable;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.SnapshotTable;
import io.tokenledger.store.UnreadableEvent;
import io.tokenledger.store.Upcasters.Payload;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.TokenEvent;
import io.tokenledger.token.TokenEvent.NamedAdminCreated;
import io.tokenledger.token.TokenEvent.OperatorTokenCreated;
import io.tokenledger.token.TokenEvent.OperatorTokenRegenerated;
import io.tokenledger.token.TokenEvent.ResourceTokenCreated;
import io.tokenledger.token.TokenEvent.TokenDescribed;
import io.tokenledger.token.TokenEvent.TokenExpired;
import io.tokenledger.token.TokenEvent.TokenExpiryChanged;
import io.tokenledger.token.TokenEvent.TokenPermissionsChanged;
import io.tokenledger.token.TokenEvent.TokenResumed;
import io.tokenledger.token.TokenEvent.TokenRevoked;
import io.tokenledger.token.TokenEvent.TokenRotated;
import io.tokenledger.token.TokenEvent.TokenSuspended;
import io.tokenledger.token.TokenSnapshot;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.axonframework.common.DateTimeUtils;
import org.axonframework.common.jdbc.PersistenceExceptionResolver;
import org.axonframework.eventhandling.DomainEventData;
import org.axonframework.eventhandling.DomainEventMessage;
import org.axonframework.eventhandling.EventMessage;
import org.axonframework.eventsourcing.eventstore.jdbc.EventSchema;
import org.axonframework.eventsourcing.eventstore.jdbc.JdbcEventStorageEngine;
import org.axonframework.messaging.MetaData;
import org.axonframework.messaging.unitofwork.CurrentUnitOfWork;
import org.axonframework.messaging.unitofwork.UnitOfWork;
import org.axonframework.serialization.SerializedMetaData;
import org.axonframework.serialization.SerializedObject;
import org.axonframework.serialization.Serializer;
import org.axonframework.serialization.SimpleSerializedObject;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Axon's JDBC event storage on our event table. Two things differ from Axon's own: the events of
 * all commands of a batch are inserted together, once, just before the commit, and with them, in
 * the same transaction, what they did to the authorization lookup; and streams that a batch is
 * about are read together, once, before it.
 */
final class EventStorage extends JdbcEventStorageEngine {

  private static final Logger LOG = LoggerFactory.getLogger(EventStorage.class);

  /** Key under which a command's metadata and its events' metadata hold the request. */
  static final String CONTEXT = "context";

  private static final String PENDING = "io.tokenledger.store.pending";
  private static final String AGGREGATE_TYPE = "Token";

  /** Revision of no snapshot. */
  private static final String NO_SNAPSHOT = "";

  /** Events whose answer is a 201 with a secret. */
  private static final Set<EventType> SHOWS_SECRET =
      EnumSet.of(
          EventType.OPERATOR_TOKEN_CREATED,
          EventType.OPERATOR_TOKEN_REGENERATED,
          EventType.NAMED_ADMIN_CREATED,
          EventType.RESOURCE_TOKEN_CREATED,
          EventType.TOKEN_ROTATED);

  private final EventTable table;
  private final Envelopes envelopes;
  private final Transactions transactions;
  private final SnapshotTable snapshots;
  private final EventReader reader;
  private final ThreadLocal<Map<String, EventTable.Stream>> prefetched =
      ThreadLocal.withInitial(Map::of);

  /** The last event that a load reads; all of them but for a check. */
  private final ThreadLocal<Long> lastSequence = ThreadLocal.withInitial(() -> Long.MAX_VALUE);

  private EventStorage(
      Builder builder,
      EventTable table,
      SnapshotTable snapshots,
      Envelopes envelopes,
      Transactions transactions,
      EventReader reader) {
    super(builder);
    this.table = table;
    this.snapshots = snapshots;
    this.reader = reader;
    this.envelopes = envelopes;
    this.transactions = transactions;
  }

  static EventStorage create(
      EventTable table,
      SnapshotTable snapshots,
      Envelopes envelopes,
      Transactions transactions,
      EventReader reader) {
    Serializer serializer = new EventSerializer(reader);
    EventSchema schema =
        EventSchema.builder()
            .eventTable("ledger.event")
            .globalIndexColumn("global_index")
            .timestampColumn("occurred_at")
            .eventIdentifierColumn("event_id")
            .aggregateIdentifierColumn("aggregate_id")
            .sequenceNumberColumn("sequence_number")
            .typeColumn("aggregate_type")
            .payloadTypeColumn("event_type")
            .payloadRevisionColumn("revision")
            .payloadColumn("payload")
            .metaDataColumn("metadata")
            .build();
    PersistenceExceptionResolver conflicts =
        failure -> EventTable.violatedConstraint(failure) != null;
    Builder builder =
        JdbcEventStorageEngine.builder()
            .schema(schema)
            .dataType(String.class)
            .batchSize(EventTable.PAGE)
            .eventSerializer(serializer)
            .snapshotSerializer(serializer)
            .persistenceExceptionResolver(conflicts)
            .connectionProvider(transactions)
            .transactionManager(transactions);
    return new EventStorage(builder, table, snapshots, envelopes, transactions, reader);
  }

  /**
   * Reads these streams now; loads of them in this thread cost no statement until {@link #forget}.
   *
   * @return those that want a snapshot: many events were read of them
   */
  List<String> prefetch(List<String> aggregateIds) throws SQLException {
    Connection connection = transactions.connection();
    Map<String, EventTable.Stream> streams =
        EventTable.readStreams(connection, aggregateIds, SnapshotTable.REVISION);
    List<String> unbelieved =
        streams.values().stream()
            .filter(stream -> stream.snapshot() != null && !isBelieved(stream))
            .map(stream -> requireNonNull(stream.snapshot()).aggregateId())
            .toList();
    if (!unbelieved.isEmpty()) {
      LOG.warn("snapshots of {} streams are not believed: all events are read", unbelieved.size());
      streams.putAll(EventTable.readStreams(connection, unbelieved, NO_SNAPSHOT));
    }
    prefetched.set(streams);
    return streams.entrySet().stream()
        .filter(stream -> stream.getValue().rows().size() > Snapshots.EVERY)
        .map(Map.Entry::getKey)
        .toList();
  }

  private boolean isBelieved(EventTable.Stream stream) {
    SnapshotTable.Row snapshot = stream.snapshot();
    return snapshot != null
        && !stream.rows().isEmpty()
        && stream.rows().get(0).sequenceNumber() == snapshot.sequenceNumber()
        && stream.rows().get(0).eventId().equals(snapshot.eventId())
        && snapshots.believed(snapshot).isPresent();
  }

  void forget() {
    prefetched.remove();
    lastSequence.remove();
  }

  /** The row of a snapshot up to that event. */
  SnapshotTable.Row snapshotRow(String aggregateId, long sequence, TokenSnapshot snapshot)
      throws SQLException {
    EventTable.Row last =
        EventTable.readPage(transactions.connection(), aggregateId, sequence).get(0);
    return snapshots.row(aggregateId, sequence, last.eventId(), snapshot);
  }

  /**
   * A snapshot that is kept.
   *
   * @param snapshot null when it is not believed
   */
  record Kept(long sequenceNumber, @Nullable TokenSnapshot snapshot) {}

  /** Prefetches all events that the stream's snapshot stands for, and not the snapshot. */
  Kept prefetchForCheck(String aggregateId) throws SQLException {
    Connection connection = transactions.connection();
    EventTable.Stream kept =
        EventTable.readStreams(connection, List.of(aggregateId), SnapshotTable.REVISION)
            .get(aggregateId);
    SnapshotTable.Row snapshot = kept == null ? null : kept.snapshot();
    if (kept == null || snapshot == null || !isBelieved(kept)) {
      return new Kept(snapshot == null ? -1 : snapshot.sequenceNumber(), null);
    }
    prefetched.set(EventTable.readStreams(connection, List.of(aggregateId), NO_SNAPSHOT));
    lastSequence.set(snapshot.sequenceNumber());
    return new Kept(snapshot.sequenceNumber(), snapshots.believed(snapshot).orElse(null));
  }

  @Override
  protected List<? extends DomainEventData<?>> fetchDomainEvents(
      String aggregateIdentifier, long firstSequenceNumber, int batchSize) {
    List<EventTable.Row> first = stream(aggregateIdentifier).rows();
    boolean isPast =
        first.size() > EventTable.PAGE
            && first.get(EventTable.PAGE).sequenceNumber() < firstSequenceNumber;
    List<EventTable.Row> rows = isPast ? page(aggregateIdentifier, firstSequenceNumber) : first;
    long last = lastSequence.get();
    return rows.stream()
        .filter(row -> row.sequenceNumber() >= firstSequenceNumber && row.sequenceNumber() <= last)
        .flatMap(this::latest)
        .toList();
  }

  private List<EventTable.Row> page(String aggregateId, long firstSequence) {
    try {
      return EventTable.readPage(transactions.connection(), aggregateId, firstSequence);
    } catch (SQLException e) {
      throw new LedgerUnavailable("a stream cannot be read", e);
    }
  }

  private EventTable.Stream stream(String aggregateId) {
    EventTable.Stream stream = prefetched.get().get(aggregateId);
    if (stream == null) {
      throw new IllegalStateException("a stream is loaded that was not read before");
    }
    return stream;
  }

  /** The row in today's forms; a retired one as it is, so that its place is not lost. */
  private Stream<Stored> latest(EventTable.Row row) {
    if (reader.isCurrent(row.eventType(), row.revision())) {
      if (!reader.reads(row.eventType(), row.revision())) {
        // Axon would leave out what it has no class for, and judge on the rest.
        throw new UnreadableEvent(
            "unknown event type " + row.eventType() + "-" + row.revision(),
            new IllegalArgumentException(row.eventId()));
      }
      return Stream.of(new Stored(row));
    }
    List<Payload> parts = reader.latest(row.eventType(), row.revision(), row.payload());
    return parts.isEmpty()
        ? Stream.of(new Stored(row))
        : parts.stream()
            .map(
                part ->
                    new Stored(
                        new EventTable.Row(
                            row.eventId(),
                            row.aggregateId(),
                            row.sequenceNumber(),
                            row.aggregateType(),
                            part.form().type(),
                            part.form().revision(),
                            row.occurredAt(),
                            part.json().toString(),
                            row.metadata())));
  }

  /** A row as Axon reads it; Axon's own entry drags in annotations of JPA, which is not here. */
  private record Stored(EventTable.Row row) implements DomainEventData<String> {
    @Override
    public String getType() {
      return row.aggregateType();
    }

    @Override
    public String getAggregateIdentifier() {
      return row.aggregateId();
    }

    @Override
    public long getSequenceNumber() {
      return row.sequenceNumber();
    }

    @Override
    public String getEventIdentifier() {
      return row.eventId();
    }

    @Override
    public Instant getTimestamp() {
      return DateTimeUtils.parseInstant(row.occurredAt());
    }

    @Override
    public SerializedObject<String> getMetaData() {
      return new SerializedMetaData<>(row.metadata(), String.class);
    }

    @Override
    public SerializedObject<String> getPayload() {
      return new SimpleSerializedObject<>(
          row.payload(), String.class, row.eventType(), row.revision());
    }
  }

  /** A page that is not full is the last: asking again would only cost a statement. */
  @Override
  protected boolean fetchForAggregateUntilEmpty() {
    return false;
  }

  @Override
  protected Stream<? extends DomainEventData<?>> readSnapshotData(String aggregateIdentifier) {
    EventTable.Stream stream = stream(aggregateIdentifier);
    SnapshotTable.Row snapshot = stream.snapshot();
    if (snapshot == null) {
      return Stream.empty();
    }
    EventTable.Row last = stream.rows().get(0);
    return Stream.of(
        new Stored(
            new EventTable.Row(
                last.eventId(),
                last.aggregateId(),
                last.sequenceNumber(),
                last.aggregateType(),
                EventSerializer.SNAPSHOT,
                snapshot.revision(),
                last.occurredAt(),
                snapshot.snapshot(),
                last.metadata())));
  }

  @Override
  protected void appendEvents(List<? extends EventMessage<?>> events, Serializer serializer) {
    UnitOfWork<?> root = CurrentUnitOfWork.get().root();
    List<DomainEventMessage<?>> pending =
        root.getOrComputeResource(
            PENDING,
            key -> {
              List<DomainEventMessage<?>> list = new ArrayList<>();
              // Runs after the handlers of all commands of the batch, which come before it.
              root.onPrepareCommit(unitOfWork -> flush(list));
              return list;
            });
    for (EventMessage<?> event : events) {
      pending.add((DomainEventMessage<?>) event);
    }
  }

  private void flush(List<DomainEventMessage<?>> pending) {
    // One order for every node, so that two batches cannot wait for each other.
    pending.sort(
        Comparator.<DomainEventMessage<?>, String>comparing(
                DomainEventMessage::getAggregateIdentifier)
            .thenComparing(DomainEventMessage::getSequenceNumber));
    List<EventTable.Row> rows = new ArrayList<>(pending.size());
    List<LookupTable.Step> steps = new ArrayList<>(pending.size());
    for (DomainEventMessage<?> message : pending) {
      TokenEvent event = (TokenEvent) message.getPayload();
      rows.add(row(message, event));
      steps.add(new LookupTable.Step(event, message.getSequenceNumber()));
    }
    try {
      table.append(transactions.connection(), rows);
      LookupTable.apply(transactions.connection(), steps);
    } catch (SQLException e) {
      throw new AppendFailed(e);
    }
  }

  private EventTable.Row row(DomainEventMessage<?> message, TokenEvent event) {
    EventType type = EventType.of(event);
    RequestContext context = context(message.getMetaData());
    return new EventTable.Row(
        message.getIdentifier(),
        message.getAggregateIdentifier(),
        message.getSequenceNumber(),
        AGGREGATE_TYPE,
        type.storedName(),
        type.revision(),
        DateTimeUtils.formatInstant(message.getTimestamp()),
        EventJson.write(sealed(message.getIdentifier(), event)),
        envelopes.write(
            message.getIdentifier(),
            message.getTimestamp(),
            context,
            what(type, event, message.getSequenceNumber())));
  }

  /** The event with its free text sealed. */
  private TokenEvent sealed(String eventId, TokenEvent event) {
    return event instanceof TokenDescribed described
        ? new TokenDescribed(
            described.name(),
            described.id(),
            envelopes.sealText(described.id(), eventId, "description", described.description()),
            described.describedAt())
        : event;
  }

  private static RequestContext context(MetaData metaData) {
    Object context = metaData.get(CONTEXT);
    if (context == null) {
      throw new IllegalStateException("an event without the context of its request");
    }
    return (RequestContext) context;
  }

  private static What what(EventType type, TokenEvent event, long sequence) {
    return new What(
        type.action(),
        Outcome.SUCCESS,
        null,
        SHOWS_SECRET.contains(type) ? 201 : 200,
        "token",
        "token:" + event.id(),
        event.name().value(),
        sequence == 0 ? null : sequence - 1,
        sequence,
        changes(event));
  }

  private static List<Change> changes(TokenEvent event) {
    if (event instanceof OperatorTokenCreated) {
      return created(Permissions.admin(), Expiry.NEVER);
    }
    if (event instanceof NamedAdminCreated created) {
      return created(Permissions.admin(), created.expiry());
    }
    if (event instanceof ResourceTokenCreated created) {
      return created(created.permissions(), created.expiry());
    }
    if (event instanceof TokenRevoked) {
      return List.of(new Change("state", "live", "revoked"));
    }
    if (event instanceof OperatorTokenRegenerated regenerated) {
      return List.of(new Change("hash", null, regenerated.hash().hex()));
    }
    if (event instanceof TokenRotated rotated) {
      return List.of(
          new Change("hash", null, rotated.hash().hex()),
          new Change("grace_end", null, rotated.graceEnd().toString()));
    }
    if (event instanceof TokenSuspended) {
      return List.of(new Change("state", "live", "suspended"));
    }
    if (event instanceof TokenResumed) {
      return List.of(new Change("state", "suspended", "live"));
    }
    if (event instanceof TokenDescribed) {
      // The text itself stands, sealed, in the payload.
      return List.of(new Change("description", null, null));
    }
    if (event instanceof TokenExpiryChanged changed) {
      return List.of(
          new Change("expiry", changed.before().toString(), changed.expiry().toString()));
    }
    if (event instanceof TokenPermissionsChanged changed) {
      return List.of(
          new Change("permissions", changed.before().toString(), changed.permissions().toString()));
    }
    if (event instanceof TokenExpired) {
      return List.of(new Change("state", "live", "expired"));
    }
    // A notice changes nothing.
    return List.of();
  }

  private static List<Change> created(Permissions permissions, Expiry expiry) {
    return List.of(
        new Change("state", null, "live"),
        new Change("permissions", null, permissions.toString()),
        new Change("expiry", null, expiry.toString()));
  }

  /** The batch could not be written; its cause says why. */
  static final class AppendFailed extends RuntimeException {

    private static final long serialVersionUID = 1L;

    AppendFailed(SQLException cause) {
      super(cause);
    }
  }
}
