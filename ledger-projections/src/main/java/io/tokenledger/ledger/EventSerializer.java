package io.tokenledger.ledger;

import io.tokenledger.audit.EventType;
import io.tokenledger.store.EventJson;
import io.tokenledger.store.EventReader;
import io.tokenledger.store.SnapshotTable;
import io.tokenledger.token.Token;
import java.util.List;
import org.axonframework.messaging.MetaData;
import org.axonframework.serialization.ChainingConverter;
import org.axonframework.serialization.Converter;
import org.axonframework.serialization.SerializedObject;
import org.axonframework.serialization.SerializedType;
import org.axonframework.serialization.Serializer;
import org.axonframework.serialization.SimpleSerializedObject;
import org.axonframework.serialization.SimpleSerializedType;
import org.axonframework.serialization.UnknownSerializedType;

/**
 * Axon's view of {@link EventJson}: payloads as JSON text under the catalogue's names. Envelopes
 * are written beside Axon and never read back through it: an aggregate judges nobody again, so for
 * Axon a stored event's metadata is empty.
 */
final class EventSerializer implements Serializer {

  /** Type of what stands for the first events of a stream; Axon takes the token itself for it. */
  static final String SNAPSHOT = "TokenSnapshot";

  /** Stands for a stored event of a retired type, which means nothing any more. */
  record Retired() {}

  private final Converter converter = new ChainingConverter();
  private final EventReader reader;

  EventSerializer(EventReader reader) {
    this.reader = reader;
  }

  @Override
  public <T> SerializedObject<T> serialize(Object object, Class<T> representation) {
    String json = object instanceof MetaData ? "{}" : EventJson.write(object);
    return converter.convert(
        new SimpleSerializedObject<>(json, String.class, typeForClass(object.getClass())),
        representation);
  }

  @Override
  public <T> boolean canSerializeTo(Class<T> representation) {
    return converter.canConvert(String.class, representation);
  }

  @Override
  @SuppressWarnings("unchecked") // Axon asks for the type that the stored name stands for.
  public <S, T> T deserialize(SerializedObject<S> stored) {
    if (MetaData.class.getName().equals(stored.getType().getName())) {
      return (T) MetaData.emptyInstance();
    }
    String json = converter.convert(stored, String.class).getData();
    if (SNAPSHOT.equals(stored.getType().getName())) {
      return (T) Token.of(SnapshotTable.read(json));
    }
    List<Object> events =
        reader.read(stored.getType().getName(), stored.getType().getRevision(), json);
    // The storage hands a split event over in its parts.
    return (T) (events.isEmpty() ? new Retired() : events.get(0));
  }

  @Override
  @SuppressWarnings("rawtypes") // As Axon declares it.
  public Class classForType(SerializedType type) {
    if (MetaData.class.getName().equals(type.getName())) {
      return MetaData.class;
    }
    if (SNAPSHOT.equals(type.getName())) {
      return Token.class;
    }
    if (!reader.isCurrent(type.getName(), type.getRevision())) {
      // Only a retired type comes here in its stored form.
      return Retired.class;
    }
    return EventType.named(type.getName())
        .<Class>map(EventType::eventClass)
        .orElse(UnknownSerializedType.class);
  }

  @Override
  @SuppressWarnings("rawtypes") // As Axon declares it.
  public SerializedType typeForClass(Class type) {
    if (MetaData.class.isAssignableFrom(type)) {
      return new SimpleSerializedType(MetaData.class.getName(), null);
    }
    for (EventType known : EventType.values()) {
      if (known.eventClass().equals(type)) {
        return new SimpleSerializedType(known.storedName(), known.revision());
      }
    }
    return SimpleSerializedType.emptyType();
  }

  @Override
  public Converter getConverter() {
    return converter;
  }
}
