package io.tokenledger.store;

import java.security.SecureRandom;
import java.util.UUID;
import org.axonframework.common.IdentifierFactory;

/**
 * Identifiers as UUID version 7 (RFC 9562): they sort by time, so that the unique index on event
 * ids grows at its right edge. Found by Axon through {@code META-INF/services}.
 */
public final class EventIds extends IdentifierFactory {

  private static final SecureRandom RANDOM = new SecureRandom();

  @Override
  public String generateIdentifier() {
    byte[] random = new byte[10];
    RANDOM.nextBytes(random);
    long high =
        System.currentTimeMillis() << 16 | 0x7000L | (random[0] & 0x0fL) << 8 | random[1] & 0xffL;
    long low = 0;
    for (int i = 2; i < 10; i++) {
      low = low << 8 | random[i] & 0xffL;
    }
    return new UUID(high, low & 0x3fff_ffff_ffff_ffffL | 0x8000_0000_0000_0000L).toString();
  }
}
