package io.tokenledger.postgres;

import java.nio.file.Path;

/** Another process of this program works on the data directory. */
public final class DataDirectoryInUse extends RuntimeException {

  private static final long serialVersionUID = 1L;

  DataDirectoryInUse(Path dataDir) {
    super("another ledger works on the data directory " + dataDir);
  }
}
