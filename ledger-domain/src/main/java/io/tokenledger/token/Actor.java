package io.tokenledger.token;

import io.tokenledger.permission.Action;
import io.tokenledger.permission.Permissions;
import io.tokenledger.permission.ResourceType;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Who acts: the authenticated token, an anonymous caller, or the node itself (provisioning, local
 * recovery). It travels in every command, and the aggregate judges it: a controller that forgot to
 * ask changes nothing.
 *
 * @param type which of the three
 * @param tokenId the acting token; null unless {@link Type#TOKEN}
 * @param tokenName its name when it acted; null unless {@link Type#TOKEN}
 * @param permissions what it may do
 */
public record Actor(
    Type type, @Nullable TokenId tokenId, @Nullable TokenName tokenName, Permissions permissions) {

  /** The kinds of actor. */
  public enum Type {
    TOKEN,
    ANONYMOUS,
    SYSTEM;

    /** The lower-case form used in the envelope. */
    public String wireName() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** A caller who presented no valid token. */
  public static final Actor ANONYMOUS = new Actor(Type.ANONYMOUS, null, null, Permissions.none());

  /** This node, on behalf of who controls its files and command line. */
  public static final Actor SYSTEM = new Actor(Type.SYSTEM, null, null, Permissions.none());

  /** The holder of that token. */
  public static Actor token(TokenId id, TokenName name, Permissions permissions) {
    return new Actor(Type.TOKEN, id, name, permissions);
  }

  boolean isAdmin() {
    return type == Type.SYSTEM || permissions.isAdmin();
  }

  boolean isOperator() {
    return type == Type.SYSTEM || TokenId.OPERATOR.equals(tokenId);
  }

  /**
   * Whether this actor may manage tokens: admins, and tokens with {@code ledger:tokens:write} that
   * hold no audit or retention grant. Who reviews the history does not write it.
   */
  public boolean mayManageTokens() {
    return isAdmin()
        || (permissions.decide(ResourceType.LEDGER, "tokens", Action.WRITE).allowed()
            && !permissions.mention(ResourceType.LEDGER, "audit")
            && !permissions.mention(ResourceType.LEDGER, "retention"));
  }

  /** Whether this actor may read the audit trail. */
  public boolean mayReadAudit() {
    return isAdmin() || permissions.decide(ResourceType.LEDGER, "audit", Action.READ).allowed();
  }

  /** Whether this actor may see which tokens there are and were, without their secrets. */
  public boolean mayReadTokens() {
    return mayReadAudit()
        || permissions.decide(ResourceType.LEDGER, "tokens", Action.READ).allowed()
        || mayManageTokens();
  }
}
