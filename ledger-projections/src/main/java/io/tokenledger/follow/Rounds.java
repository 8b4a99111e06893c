package io.tokenledger.follow;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Lets many steps be written by few statements: those of one token's name must follow each other,
 * those of others need not. The first step of each name makes the first round, the second one the
 * second, so that no statement of a round meets a row that another of the same round writes.
 */
public final class Rounds {

  private Rounds() {}

  /**
   * The same steps, those of each name in their order, one a round.
   *
   * @param name by which steps belong together
   */
  public static <T> List<List<T>> of(List<T> steps, Function<T, ?> name) {
    List<List<T>> rounds = new ArrayList<>();
    Map<Object, Integer> taken = new HashMap<>();
    for (T step : steps) {
      int round = taken.merge(name.apply(step), 1, Integer::sum) - 1;
      if (round == rounds.size()) {
        rounds.add(new ArrayList<>());
      }
      rounds.get(round).add(step);
    }
    return rounds;
  }
}
