package io.tokenledger.gateway;

import io.tokenledger.permission.Action;
import io.tokenledger.permission.ResourceType;
import java.util.Set;

/** What a request needs to be let through. */
public sealed interface Demand {

  /** How a client of that interface wants to be told no: each family reads errors its own way. */
  enum Family {
    /** InfluxDB 1.x and its compatible endpoints: {@code /write}, {@code /query}. */
    V1,
    /** {@code /api/v2/...}. */
    V2,
    /** {@code /api/v3/...}, probes and everything else. */
    V3
  }

  /** Whose client sent it. */
  Family family();

  /**
   * Each of these must be granted.
   *
   * @param grants at least one
   */
  record Grants(Family family, Set<Grant> grants) implements Demand {

    public Grants {
      grants = Set.copyOf(grants);
      if (grants.isEmpty()) {
        throw new IllegalArgumentException("a request that needs nothing is no demand");
      }
    }
  }

  /**
   * Only an admin may.
   *
   * @param reason why no grant is enough: {@code admin_only}, or that what would be needed stands
   *     in the body ({@code body_decides})
   */
  record Admin(Family family, String reason) implements Demand {}

  /**
   * Nobody may, an admin neither: what the server behind would do with it is not known.
   *
   * @param reason a stable lower-case code, for example {@code unknown_route}
   */
  record Refused(Family family, String reason) implements Demand {}

  /** An action on one resource. */
  record Grant(ResourceType type, String name, Action action) {

    static Grant read(String database) {
      return new Grant(ResourceType.DB, database, Action.READ);
    }

    static Grant write(String database) {
      return new Grant(ResourceType.DB, database, Action.WRITE);
    }
  }
}
