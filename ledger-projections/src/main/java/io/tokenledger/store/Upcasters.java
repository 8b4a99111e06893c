package io.tokenledger.store;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What makes a payload that was stored under an earlier revision or a retired name one that today's
 * catalogue knows: small functions on the JSON, each from one stored form to the next. The stored
 * bytes, which are hashed and signed, stay as they are: this is done whenever they are read.
 */
public final class Upcasters {

  /** Those of this version. There is none yet: every type is still written as it first was. */
  public static final Upcasters CURRENT = new Upcasters(List.of());

  /** More steps than any payload can need: two that lead to each other are a bug. */
  private static final int MAX_STEPS = 100;

  private final Map<Form, Upcaster> steps = new HashMap<>();

  /** Under which name and revision a payload is stored. */
  public record Form(String type, String revision) {}

  /** A payload with its form. */
  public record Payload(Form form, JsonNode json) {

    /** The same payload under another revision or name. */
    public Payload as(String type, String revision) {
      return new Payload(new Form(type, revision), json);
    }
  }

  /**
   * One step.
   *
   * @param from the form it takes
   */
  public record Step(Form from, Upcaster upcaster) {}

  /** Makes the next form of a payload. */
  public interface Upcaster {
    /**
     * @param older may be changed and given back
     * @return one as a rule; several for a type that was split, in the order in which they
     *     happened, each about a token of its own or changing different things of the same; none
     *     for a retired type that means nothing any more
     */
    List<Payload> up(ObjectNode older);
  }

  /**
   * @throws IllegalArgumentException when two steps take the same form
   */
  public Upcasters(List<Step> steps) {
    for (Step step : steps) {
      if (this.steps.put(step.from(), step.upcaster()) != null) {
        throw new IllegalArgumentException("two upcasters of " + step.from());
      }
    }
  }

  /** Whether that form is one of earlier versions. */
  boolean know(Form form) {
    return steps.containsKey(form);
  }

  /**
   * The payload in forms that have no further step.
   *
   * @throws IllegalArgumentException when a step cannot take it, or they lead nowhere
   */
  List<Payload> latest(Payload payload) {
    List<Payload> latest = new ArrayList<>();
    climb(payload, 0, latest);
    return latest;
  }

  private void climb(Payload payload, int taken, List<Payload> latest) {
    Upcaster upcaster = steps.get(payload.form());
    if (upcaster == null) {
      latest.add(payload);
      return;
    }
    if (taken == MAX_STEPS) {
      throw new IllegalArgumentException("the upcasters of " + payload.form() + " lead nowhere");
    }
    if (!(payload.json() instanceof ObjectNode json)) {
      throw new IllegalArgumentException("not an object");
    }
    for (Payload next : upcaster.up(json)) {
      climb(next, taken + 1, latest);
    }
  }
}
