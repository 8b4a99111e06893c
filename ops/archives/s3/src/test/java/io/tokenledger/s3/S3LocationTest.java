package io.tokenledger.s3;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.archive.ArchiveStore;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class S3LocationTest {

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "s3://b|days must say",
        "s3://b?days=0|days must say",
        "s3://b?days=ten|days must say",
        "s3://b?days=1&mode=none|mode must be",
        "s3://b?days=1&days=2|days once",
        "s3://b?days=1&secret=x|not secret",
        "s3://user:word@b?days=1|credentials are the environment's",
        "s3://b?days=1&region=x&endpoint=http://s3.example|endpoint must be https://",
        "ftp://b|no jar here knows ftp://"
      })
  void whatIsWrongWithALocationIsNamed(String location, String rule) {
    IllegalArgumentException wrong =
        assertThrows(IllegalArgumentException.class, () -> ArchiveStore.open(location));
    assertTrue(wrong.getMessage().contains(rule), wrong.getMessage());
    assertFalse(wrong.getMessage().contains("word"));
  }

  @Test
  void aLocationIsShownWithoutItsSettings() {
    assertEquals(
        "s3://bucket/a/b/",
        ArchiveStore.open("s3://bucket/a/b/?days=1&region=x&mode=governance").toString());
  }
}
