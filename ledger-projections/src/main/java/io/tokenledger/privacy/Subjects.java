package io.tokenledger.privacy;

import java.util.regex.Pattern;

/** How subjects are written: whose data a sealed field is. */
public final class Subjects {

  private static final Pattern FORM =
      Pattern.compile(
          "token:(0|[1-9]\\d{0,18})|person:[0-9a-f]{32}|anonymous:\\d{4}-\\d{2}-\\d{2}|system");

  private Subjects() {}

  /** Whether that is the form of a subject, which none of its characters leaves. */
  public static boolean isValid(String subject) {
    return FORM.matcher(subject).matches();
  }
}
