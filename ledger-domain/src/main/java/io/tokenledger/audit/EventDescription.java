package io.tokenledger.audit;

import io.tokenledger.token.TokenCommand;
import java.util.List;
import java.util.Locale;

/**
 * The catalogue's row of an event type: what an auditor must know to read such an event.
 *
 * @param says what happened, in one sentence
 * @param commands the commands that ask for it
 * @param triggers what else makes it be written: {@code clock}, {@code start}, {@code stop}, {@code
 *     signer}, {@code witness} and so on; the routes say themselves what they append
 * @param fields the payload, in the order in which it is stored
 * @param ocsf how an export in OCSF classifies it
 * @param controls the controls that it serves
 */
public record EventDescription(
    String says,
    List<Class<? extends TokenCommand>> commands,
    List<String> triggers,
    List<Field> fields,
    Ocsf ocsf,
    List<String> controls) {

  /** Whether a field may tell about a person, and how it is kept. */
  public enum FieldClass {
    /** Names a token, event, log or request; kept in clear. */
    IDENTIFIER,
    /** May tell about a person; kept sealed under a key that can be destroyed. */
    PERSONAL_SEALED,
    /** Anything else; kept in clear. */
    PLAIN;

    /** The lower-case form of the catalogue, {@code personal-sealed}. */
    public String wireName() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
  }

  /**
   * A field of a payload or of the envelope.
   *
   * @param name as stored; within an object as a path, {@code source.ip}
   * @param type {@code string}, {@code integer}, {@code boolean}, {@code time} (RFC 3339 in UTC),
   *     {@code array} or {@code object}
   */
  public record Field(String name, String type, FieldClass fieldClass) {}

  /**
   * Class and activity of OCSF 1.8.0.
   *
   * @param classUid 1008 Event Log Activity, 3002 Authentication, 3004 Entity Management or 6003
   *     API Activity
   */
  public record Ocsf(int classUid, int activityId) {}
}
