package io.tokenledger.index;

import io.tokenledger.lookup.FoundToken;
import io.tokenledger.lookup.LookupRow;
import io.tokenledger.permission.Action;
import io.tokenledger.permission.Permissions;
import io.tokenledger.permission.ResourceType;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenKind;
import io.tokenledger.token.TokenName;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.StampedLock;
import org.jspecify.annotations.Nullable;

/**
 * The lookup's rows in memory, found by the hash of the secret. Whole rows, those of dead secrets
 * too, so that an answer says why as the lookup would; no row is ever taken out, as in the lookup.
 *
 * <p>A row is 128 bytes in chunks that never move, its name lies in bytes, sets of permissions are
 * shared; an open-addressed table of numbers leads to it. One thread writes at a time. Readers take
 * no lock: they read, and read again when something was written meanwhile.
 */
public final class AuthorizationIndex {

  /** What the index says of a secret and what it wants to do. */
  public enum Answer {
    ALLOWED,
    NOT_GRANTED,
    UNKNOWN,
    EXPIRED,
    REVOKED,
    SUPERSEDED,
    SUSPENDED,
    QUARANTINED;

    private static Answer of(FoundToken.State state) {
      return switch (state) {
        case LIVE -> ALLOWED;
        case EXPIRED -> EXPIRED;
        case REVOKED -> REVOKED;
        case SUPERSEDED -> SUPERSEDED;
        case SUSPENDED -> SUSPENDED;
        case QUARANTINED -> QUARANTINED;
      };
    }
  }

  private static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

  private static final int HASH_LONGS = 8;
  private static final int ID = 8;
  private static final int CREATED = 9;
  private static final int EXPIRES = 10;
  private static final int REVOKED = 11;
  private static final int SUPERSEDED = 12;
  private static final int SUSPENDED = 13;

  /** Where the name begins: its chunk and its place there. */
  private static final int NAME = 14;

  /** Permissions in the lower 32 bits, then 16 of the name's length, 8 of the kind, 1 a flag. */
  private static final int REST = 15;

  private static final int ROW_LONGS = 16;
  private static final long QUARANTINED_FLAG = 1L << 56;

  /** 8,192 rows, 1 MiB, a chunk; a chunk of names is as large. */
  private static final int CHUNK_SHIFT = 13;

  private static final int CHUNK_ROWS = 1 << CHUNK_SHIFT;
  private static final int NAME_SHIFT = 20;

  private static final int FIRST_SLOTS = 1 << 12;

  /** Odd, so that no bit is lost: where a hash belongs is not for its maker to choose. */
  private static final long SPREAD = 0x9E37_79B9_7F4A_7C15L;

  private static final int ABSENT = -1;

  /** Something was written while it was read. */
  private static final int TORN = -2;

  private final StampedLock lock = new StampedLock();
  private final PermissionSets sets = new PermissionSets();

  private int[] slots = new int[FIRST_SLOTS];
  private long[][] chunks = new long[0][];
  private byte[][] names = new byte[0][];
  private int nameEnd;
  private int size;
  private Set<String> quarantined = Set.of();

  /**
   * Whether the secret may do that now.
   *
   * @param hash the 64 bytes of its SHA-512
   * @param nowMillis milliseconds since 1970 UTC
   */
  public Answer decide(byte[] hash, ResourceType type, String name, Action action, long nowMillis) {
    for (boolean locked = false; ; locked = true) {
      long stamp = locked ? lock.readLock() : lock.tryOptimisticRead();
      long[][] rows = chunks;
      int row = stamp == 0 ? TORN : find(hash, rows);
      FoundToken.State state = FoundToken.State.LIVE;
      Permissions permissions = null;
      if (row >= 0) {
        long[] chunk = rows[row >>> CHUNK_SHIFT];
        int at = offset(row);
        state = state(chunk, at, nowMillis);
        permissions = permissions(chunk[at + REST]);
      }
      if (isWhole(stamp, locked) && row != TORN) {
        if (row == ABSENT) {
          return Answer.UNKNOWN;
        }
        if (state != FoundToken.State.LIVE) {
          return Answer.of(state);
        }
        return permissions != null && permissions.allow(type, name, action)
            ? Answer.ALLOWED
            : Answer.NOT_GRANTED;
      }
    }
  }

  /** What the lookup knew of that secret when it was read last; null when nothing. */
  public @Nullable FoundToken find(SecretHash secret) {
    byte[] hash = secret.bytes();
    long[] copy = new long[ROW_LONGS];
    for (boolean locked = false; ; locked = true) {
      long stamp = locked ? lock.readLock() : lock.tryOptimisticRead();
      long[][] rows = chunks;
      int row = stamp == 0 ? TORN : find(hash, rows);
      Permissions permissions = null;
      byte[][] bytes = names;
      if (row >= 0) {
        System.arraycopy(rows[row >>> CHUNK_SHIFT], offset(row), copy, 0, ROW_LONGS);
        permissions = permissions(copy[REST]);
      }
      if (isWhole(stamp, locked) && row != TORN) {
        // Names are written once and never moved.
        return permissions == null ? null : found(copy, permissions, bytes);
      }
    }
  }

  /** Ends the reading: whether nothing was written since it began. */
  private boolean isWhole(long stamp, boolean locked) {
    if (locked) {
      lock.unlockRead(stamp);
      return true;
    }
    return lock.validate(stamp);
  }

  private static FoundToken.State state(long[] chunk, int at, long nowMillis) {
    return FoundToken.state(
        chunk[at + REVOKED] != FoundToken.NEVER,
        chunk[at + SUPERSEDED],
        (chunk[at + REST] & QUARANTINED_FLAG) != 0,
        chunk[at + SUSPENDED] != FoundToken.NEVER,
        chunk[at + EXPIRES],
        nowMillis);
  }

  private @Nullable Permissions permissions(long rest) {
    @Nullable Permissions[] all = sets.byNumber();
    int number = (int) rest;
    return number < all.length ? all[number] : null;
  }

  private static FoundToken found(long[] row, Permissions permissions, byte[][] names) {
    return new FoundToken(
        new TokenId(row[ID]),
        new TokenName(name(row[NAME], row[REST], names)),
        TokenKind.values()[(int) (row[REST] >>> 48) & 0xff],
        permissions,
        Instant.ofEpochMilli(row[CREATED]),
        row[EXPIRES] == FoundToken.NEVER ? Expiry.NEVER : new Expiry(row[EXPIRES]),
        instant(row[REVOKED]),
        instant(row[SUPERSEDED]),
        instant(row[SUSPENDED]),
        (row[REST] & QUARANTINED_FLAG) != 0);
  }

  private static String name(long place, long rest, byte[][] names) {
    return new String(
        names[(int) (place >>> NAME_SHIFT)],
        (int) place & ((1 << NAME_SHIFT) - 1),
        (int) (rest >>> 32) & 0xffff,
        StandardCharsets.UTF_8);
  }

  private static @Nullable Instant instant(long millis) {
    return millis == FoundToken.NEVER ? null : Instant.ofEpochMilli(millis);
  }

  /** The number of the row with that hash, {@link #ABSENT}, or {@link #TORN}. */
  private int find(byte[] hash, long[][] rows) {
    int[] table = slots;
    long first = (long) LONGS.get(hash, 0);
    int mask = table.length - 1;
    int probe = place(first, table.length);
    for (int probed = 0; probed <= mask; probed++) {
      int row = table[probe] - 1;
      if (row < 0) {
        return ABSENT;
      }
      if (row >>> CHUNK_SHIFT >= rows.length) {
        return TORN;
      }
      if (holds(rows[row >>> CHUNK_SHIFT], offset(row), first, hash)) {
        return row;
      }
      probe = (probe + 1) & mask;
    }
    return TORN;
  }

  private static boolean holds(long[] chunk, int at, long first, byte[] hash) {
    if (chunk[at] != first) {
      return false;
    }
    long differing = 0;
    for (int i = 1; i < HASH_LONGS; i++) {
      differing |= chunk[at + i] ^ (long) LONGS.get(hash, i * Long.BYTES);
    }
    return differing == 0;
  }

  private static int place(long first, int tableLength) {
    return (int) (first * SPREAD >>> (Integer.numberOfLeadingZeros(tableLength) + 33));
  }

  private static int offset(int row) {
    return (row & (CHUNK_ROWS - 1)) * ROW_LONGS;
  }

  /** Takes these rows, new ones and changed ones; readers see all of them or none. */
  public void put(Collection<LookupRow> rows) {
    if (rows.isEmpty()) {
      return;
    }
    long stamp = lock.writeLock();
    try {
      rows.forEach(this::put);
    } finally {
      lock.unlockWrite(stamp);
    }
  }

  private void put(LookupRow row) {
    int permissions = sets.use(row.permissions());
    int number = find(row.hash(), chunks);
    boolean isNew = number == ABSENT;
    if (isNew) {
      number = add(row);
    }
    long[] chunk = chunks[number >>> CHUNK_SHIFT];
    int at = offset(number);
    if (!isNew) {
      sets.release((int) chunk[at + REST]);
    }
    chunk[at + ID] = row.tokenId();
    chunk[at + CREATED] = row.createdAtMillis();
    chunk[at + EXPIRES] = row.expiresAtMillis();
    chunk[at + REVOKED] = row.revokedAtMillis();
    chunk[at + SUPERSEDED] = row.supersededAtMillis();
    chunk[at + SUSPENDED] = row.suspendedAtMillis();
    chunk[at + REST] =
        (chunk[at + REST] & 0xffffL << 32)
            | permissions
            | (long) row.kind().ordinal() << 48
            | (quarantined.contains(row.name()) ? QUARANTINED_FLAG : 0);
  }

  private int add(LookupRow row) {
    if (4L * (size + 1) > 3L * slots.length) {
      growSlots();
    }
    int number = size++;
    if (number >>> CHUNK_SHIFT == chunks.length) {
      long[][] more = Arrays.copyOf(chunks, chunks.length + 1);
      more[chunks.length] = new long[CHUNK_ROWS * ROW_LONGS];
      chunks = more;
    }
    long[] chunk = chunks[number >>> CHUNK_SHIFT];
    int at = offset(number);
    for (int i = 0; i < HASH_LONGS; i++) {
      chunk[at + i] = (long) LONGS.get(row.hash(), i * Long.BYTES);
    }
    byte[] name = row.name().getBytes(StandardCharsets.UTF_8);
    chunk[at + NAME] = keep(name);
    chunk[at + REST] = (long) name.length << 32;
    insert(slots, chunk[at], number);
    return number;
  }

  private long keep(byte[] name) {
    if (names.length == 0 || nameEnd + name.length > 1 << NAME_SHIFT) {
      byte[][] more = Arrays.copyOf(names, names.length + 1);
      more[names.length] = new byte[1 << NAME_SHIFT];
      names = more;
      nameEnd = 0;
    }
    System.arraycopy(name, 0, names[names.length - 1], nameEnd, name.length);
    long place = (long) (names.length - 1) << NAME_SHIFT | nameEnd;
    nameEnd += name.length;
    return place;
  }

  private void growSlots() {
    int[] larger = new int[Math.multiplyExact(2, slots.length)];
    for (int number = 0; number < size; number++) {
      insert(larger, chunks[number >>> CHUNK_SHIFT][offset(number)], number);
    }
    slots = larger;
  }

  private static void insert(int[] table, long first, int number) {
    int mask = table.length - 1;
    int probe = place(first, table.length);
    while (table[probe] != 0) {
      probe = (probe + 1) & mask;
    }
    table[probe] = number + 1;
  }

  /**
   * Takes which names are quarantined now: no secret of theirs is live. Looks at every row when
   * that has changed, which is rare.
   *
   * @return whether it has
   */
  public boolean quarantine(Set<String> quarantinedNames) {
    if (quarantinedNames.equals(quarantined)) {
      return false;
    }
    List<Integer> changed = new ArrayList<>();
    for (int number = 0; number < size; number++) {
      long[] chunk = chunks[number >>> CHUNK_SHIFT];
      int at = offset(number);
      boolean flag = (chunk[at + REST] & QUARANTINED_FLAG) != 0;
      if (flag != quarantinedNames.contains(name(chunk[at + NAME], chunk[at + REST], names))) {
        changed.add(number);
      }
    }
    long stamp = lock.writeLock();
    try {
      quarantined = Set.copyOf(quarantinedNames);
      for (int number : changed) {
        chunks[number >>> CHUNK_SHIFT][offset(number) + REST] ^= QUARANTINED_FLAG;
      }
    } finally {
      lock.unlockWrite(stamp);
    }
    return true;
  }

  /** How many secrets it knows, dead ones too. */
  public int size() {
    return size;
  }

  /** About how many bytes of memory it takes. */
  public long approximateBytes() {
    return (long) Integer.BYTES * slots.length
        + (long) Long.BYTES * CHUNK_ROWS * ROW_LONGS * chunks.length
        + ((long) names.length << NAME_SHIFT)
        + sets.approximateBytes();
  }
}
