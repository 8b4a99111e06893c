package io.tokenledger.index;

import java.util.List;

/**
 * What a gateway must no longer believe.
 *
 * @param id stands for what this node knew when it told it; whoever tells it that again, or another
 *     node, hears what has changed since
 * @param everything whether all that is kept must go
 * @param tokens else those of which something changed, none when nothing did
 */
public record FeedEvent(String id, boolean everything, List<Changed> tokens) {

  /**
   * A secret of which something changed.
   *
   * @param hashPrefix the first nine hexadecimal digits of the secret's SHA-512
   */
  public record Changed(long tokenId, String name, String hashPrefix) {}
}
