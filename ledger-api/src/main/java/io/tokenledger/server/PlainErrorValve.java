package io.tokenledger.server;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import org.apache.catalina.connector.Request;
import org.apache.catalina.connector.Response;
import org.apache.catalina.valves.ErrorReportValve;
import org.jspecify.annotations.Nullable;

/**
 * Answers what Tomcat refuses by itself, before any filter sees it: a path that hides a slash, a
 * header that is none, TRACE. Tomcat's own answer is a page of HTML, which no client of ours can
 * read. Public, because Tomcat makes it by its name.
 */
public final class PlainErrorValve extends ErrorReportValve {

  @Override
  protected void report(Request request, Response response, @Nullable Throwable failure) {
    int status = response.getStatus();
    if (status < 400 || response.getContentWritten() > 0 || !response.setErrorReported()) {
      return;
    }
    byte[] body = JsonText.error(sentence(status)).getBytes(StandardCharsets.UTF_8);
    response.setContentType(Answers.JSON);
    response.setHeader("X-Content-Type-Options", "nosniff");
    response.setContentLength(body.length);
    try {
      response.getOutputStream().write(body);
      response.finishResponse();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String sentence(int status) {
    return switch (status) {
      case 400 ->
          "the request is not valid HTTP: its path, query or headers hold what they must not";
      case 404 -> Rejection.NOT_FOUND;
      case 405, 501 -> "the method is not allowed";
      case 414, 431 -> "the request's line and headers are too long";
      default ->
          status < 500 ? "the request was refused" : "internal error, see the log of this node";
    };
  }
}
