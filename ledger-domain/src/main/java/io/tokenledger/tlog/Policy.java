package io.tokenledger.tlog;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Whom an auditor believes (C2SP {@code tlog-policy}): the keys of logs, and how many of which
 * witnesses must have seen a checkpoint.
 *
 * <pre>
 * log VKEY
 * witness NAME VKEY
 * group NAME any|all|COUNT MEMBER...
 * quorum NAME|none
 * </pre>
 */
public final class Policy {

  private final List<VerifierKey> logs;
  private final Map<String, Member> members;
  private final @Nullable String quorum;

  private record Member(@Nullable VerifierKey witness, int needed, List<String> members) {}

  private Policy(List<VerifierKey> logs, Map<String, Member> members, @Nullable String quorum) {
    this.logs = List.copyOf(logs);
    this.members = members;
    this.quorum = quorum;
  }

  /** The policy that believes these logs and asks no witness. */
  public static Policy of(List<VerifierKey> logs) {
    return new Policy(logs, Map.of(), null);
  }

  /**
   * The policy of that text.
   *
   * @throws InvalidTlogFormat naming the line that is wrong
   */
  public static Policy parse(String text) {
    List<VerifierKey> logs = new ArrayList<>();
    Map<String, Member> members = new LinkedHashMap<>();
    String quorum = null;
    boolean quorumSeen = false;
    for (String raw : text.split("\n", -1)) {
      String line = raw.strip();
      if (line.isEmpty() || line.startsWith("#")) {
        continue;
      }
      String[] words = line.split("[ \t]+");
      switch (words[0] + "/" + Math.min(words.length, 4)) {
        case "log/2", "log/3" -> logs.add(key(words[1], VerifierKey.Kind.LOG));
        case "witness/3", "witness/4" -> {
          VerifierKey key = key(words[2], VerifierKey.Kind.COSIGNATURE);
          boolean again =
              members.values().stream()
                  .anyMatch(
                      other ->
                          other.witness() != null
                              && Arrays.equals(other.witness().rawKey(), key.rawKey()));
          if (again) {
            throw new InvalidTlogFormat("the key of the witness " + words[1] + " is given twice");
          }
          define(members, words[1], new Member(key, 1, List.of()));
        }
        case "group/4" -> define(members, words[1], group(words, members));
        case "quorum/2" -> {
          if (quorumSeen) {
            throw new InvalidTlogFormat("the policy has two quorum lines");
          }
          quorumSeen = true;
          quorum = words[1].equals("none") ? null : words[1];
          if (quorum != null && !members.containsKey(quorum)) {
            throw new InvalidTlogFormat("the quorum is neither witness nor group: " + quorum);
          }
        }
        default -> throw new InvalidTlogFormat("not a line of a policy: " + line);
      }
    }
    if (logs.isEmpty()) {
      throw new InvalidTlogFormat("the policy names no log");
    }
    if (!quorumSeen) {
      throw new InvalidTlogFormat("the policy has no quorum line; write quorum none for none");
    }
    return new Policy(logs, members, quorum);
  }

  /** One party's key for one part: a log's own signature is no witness. */
  private static VerifierKey key(String text, VerifierKey.Kind kind) {
    VerifierKey key = VerifierKey.parse(text);
    if (key.kind() != kind) {
      throw new InvalidTlogFormat(
          "the key " + key.name() + " is none of a " + kind.name().toLowerCase(Locale.ROOT));
    }
    return key;
  }

  private static void define(Map<String, Member> members, String name, Member member) {
    if (name.equals("none") || members.putIfAbsent(name, member) != null) {
      throw new InvalidTlogFormat("the policy gives the name " + name + " twice");
    }
  }

  private static Member group(String[] words, Map<String, Member> known) {
    List<String> names = List.of(words).subList(3, words.length);
    if (Set.copyOf(names).size() != names.size()) {
      throw new InvalidTlogFormat("the group " + words[1] + " has a member twice");
    }
    for (String name : names) {
      if (!known.containsKey(name)) {
        throw new InvalidTlogFormat("the group " + words[1] + " has an unknown member " + name);
      }
    }
    int needed =
        switch (words[2]) {
          case "any" -> 1;
          case "all" -> names.size();
          default -> (int) Math.min(Checkpoint.parseSize(words[2]), Integer.MAX_VALUE);
        };
    if (needed < 1 || needed > names.size()) {
      throw new InvalidTlogFormat(
          "the group " + words[1] + " needs " + words[2] + " of " + names.size() + " members");
    }
    return new Member(null, needed, names);
  }

  /** The keys of the logs it believes. */
  public List<VerifierKey> logs() {
    return logs;
  }

  /**
   * The checkpoint of that note, when a log of this policy signed it and enough witnesses saw it.
   *
   * @throws InvalidTlogFormat when not, saying why
   */
  public Checkpoint open(SignedNote note) {
    Checkpoint checkpoint = Checkpoint.parse(note.text());
    boolean signed = false;
    for (VerifierKey log : logs) {
      signed |= log.name().equals(checkpoint.origin()) && note.isSignedBy(log);
    }
    if (!signed) {
      throw new InvalidTlogFormat(
          "no known key signed the checkpoint of " + checkpoint.origin() + " " + checkpoint.size());
    }
    if (quorum != null && !isMet(quorum, note, new HashMap<>())) {
      throw new InvalidTlogFormat(
          "too few witnesses saw the checkpoint: quorum " + quorum + " is not met");
    }
    return checkpoint;
  }

  private boolean isMet(String name, SignedNote note, Map<String, Boolean> found) {
    Boolean known = found.get(name);
    if (known != null) {
      return known;
    }
    Member member = members.get(name);
    if (member == null) {
      return false;
    }
    VerifierKey witness = member.witness();
    boolean met =
        witness != null
            ? note.isSignedBy(witness)
            : member.members().stream().filter(each -> isMet(each, note, found)).count()
                >= member.needed();
    found.put(name, met);
    return met;
  }
}
