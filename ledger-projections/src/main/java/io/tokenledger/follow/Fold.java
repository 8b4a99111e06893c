package io.tokenledger.follow;

import io.tokenledger.token.TokenEvent;

/**
 * Makes the rows of a projection from whole streams, the events of each in their order, and shares
 * no statement with what keeps the live one: that both come to the same is a proof of both. Holds
 * one stream at a time.
 */
public interface Fold {

  /** Takes the next event of the stream. */
  void take(Leaf leaf, TokenEvent event);

  /** The stream has no more: its rows are written. */
  void endStream();

  /** Where the rows are collected. */
  CopyRows rows();
}
