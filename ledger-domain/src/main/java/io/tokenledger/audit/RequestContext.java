package io.tokenledger.audit;

import io.tokenledger.token.Actor;
import org.jspecify.annotations.Nullable;

/**
 * The circumstances of one request: who asked, from where, by which program, and why. It is the
 * part of the envelope (audit-design 1.2) that is known before anything is decided; the rest
 * follows from the event. Addresses, user agent, reason, ticket and {@code onBehalfOf} are
 * personal: whoever stores this seals them.
 *
 * @param actor the authenticated token, anonymous, or the node itself
 * @param authMethod how the credential came: {@code bearer}, {@code token}, {@code basic}, {@code
 *     query}, {@code file}, {@code recovery}, {@code offline}; null for none
 * @param onBehalfOf the human for whom the actor acts, as asserted by it
 * @param reason why, as asserted
 * @param ticket the change or incident number, as asserted
 * @param sourceAddress the socket's address; null for the node itself
 * @param sourcePort the socket's port, 0 for the node itself
 * @param forwardedFor the forwarded address as it was sent, whoever sent it
 * @param forwardedTrusted whether {@code forwardedFor} came from a configured trusted proxy
 * @param userAgent as sent
 * @param client the kind and version of the client: {@code rest}, {@code cli/0.1.0}, {@code node}
 * @param requestId this request's id, also in its answer
 * @param correlationId what the caller gave to tie several requests together; null when nothing
 * @param causationId the event or request that caused this one; null when nothing did
 * @param traceId the W3C trace id; null when the caller sent none
 */
public record RequestContext(
    Actor actor,
    @Nullable String authMethod,
    @Nullable String onBehalfOf,
    @Nullable String reason,
    @Nullable String ticket,
    @Nullable String sourceAddress,
    int sourcePort,
    @Nullable String forwardedFor,
    boolean forwardedTrusted,
    @Nullable String userAgent,
    String client,
    String requestId,
    @Nullable String correlationId,
    @Nullable String causationId,
    @Nullable String traceId) {

  /** The context of something the node does by itself. */
  public static RequestContext ofNode(String authMethod, String reason, String requestId) {
    return new RequestContext(
        Actor.SYSTEM,
        authMethod,
        null,
        reason,
        null,
        null,
        0,
        null,
        false,
        null,
        "node",
        requestId,
        null,
        null,
        null);
  }

  /** The context of a command that works on the database itself, without a server. */
  public static RequestContext ofOffline(
      @Nullable String onBehalfOf,
      @Nullable String reason,
      @Nullable String ticket,
      String client,
      String requestId) {
    return new RequestContext(
        Actor.SYSTEM,
        "offline",
        onBehalfOf,
        reason,
        ticket,
        null,
        0,
        null,
        false,
        null,
        client,
        requestId,
        null,
        null,
        null);
  }

  /** The address to hold responsible: the forwarded one when a trusted proxy sent it. */
  public @Nullable String clientAddress() {
    return forwardedTrusted && forwardedFor != null ? forwardedFor : sourceAddress;
  }

  /** The same circumstances with another actor, once authentication has found it. */
  public RequestContext as(Actor newActor, @Nullable String newAuthMethod) {
    return new RequestContext(
        newActor,
        newAuthMethod,
        onBehalfOf,
        reason,
        ticket,
        sourceAddress,
        sourcePort,
        forwardedFor,
        forwardedTrusted,
        userAgent,
        client,
        requestId,
        correlationId,
        causationId,
        traceId);
  }
}
