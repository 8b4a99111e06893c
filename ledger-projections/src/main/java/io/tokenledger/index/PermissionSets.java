package io.tokenledger.index;

import static java.util.Objects.requireNonNull;

import io.tokenledger.lookup.FoundToken;
import io.tokenledger.permission.Permissions;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Each set of permissions once, however many tokens hold it, under a number. For one thread; what
 * others may read is {@link #byNumber}.
 */
final class PermissionSets {

  /** Texts whose set is known without reading them; then it is begun again. */
  private static final int MAX_TEXTS = 10_000;

  /** What a set takes with what finds it, estimated: of each, and of each character of its text. */
  private static final int BYTES_A_SET = 600;

  private static final int BYTES_A_CHARACTER = 8;

  private final Map<Permissions, Integer> numbers = new HashMap<>();
  private final Map<String, Integer> texts = new HashMap<>();
  private @Nullable Permissions[] byNumber = new Permissions[64];
  private int[] uses = new int[64];
  private int[] free = new int[64];
  private int freeCount;
  private int end;
  private long bytes;

  /** The number of the set that these lines are, used once more. */
  int use(String lines) {
    Integer known = texts.get(lines);
    int number =
        known != null ? known : number(FoundToken.permissions(Arrays.asList(lines.split("\n"))));
    if (known == null) {
      if (texts.size() >= MAX_TEXTS) {
        texts.clear();
      }
      texts.put(lines, number);
    }
    uses[number]++;
    return number;
  }

  private int number(Permissions permissions) {
    Integer known = numbers.get(permissions);
    if (known != null) {
      return known;
    }
    int number = freeCount > 0 ? free[--freeCount] : end++;
    if (number == byNumber.length) {
      byNumber = Arrays.copyOf(byNumber, 2 * number);
      uses = Arrays.copyOf(uses, 2 * number);
      free = Arrays.copyOf(free, 2 * number);
    }
    byNumber[number] = permissions;
    numbers.put(permissions, number);
    bytes += bytes(permissions);
    return number;
  }

  /** One token less holds it; the last one's end is its own. */
  void release(int number) {
    if (--uses[number] == 0) {
      Permissions last = requireNonNull(byNumber[number]);
      numbers.remove(last);
      bytes -= bytes(last);
      texts.values().removeIf(known -> known == number);
      byNumber[number] = null;
      free[freeCount++] = number;
    }
  }

  /** The sets by their numbers; replaced by a longer array when there are more. */
  @Nullable Permissions[] byNumber() {
    return byNumber;
  }

  long approximateBytes() {
    return 12L * byNumber.length + bytes;
  }

  private static long bytes(Permissions set) {
    return BYTES_A_SET + (long) BYTES_A_CHARACTER * String.join("", set.texts()).length();
  }
}
