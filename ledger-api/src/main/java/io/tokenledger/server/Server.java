package io.tokenledger.server;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.LedgerOptions;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.EmbeddedPostgres;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.apache.catalina.core.StandardHost;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.Banner;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.tomcat.servlet.TomcatServletWebServerFactory;
import org.springframework.boot.web.server.PortInUseException;
import org.springframework.boot.web.server.WebServerFactoryCustomizer;
import org.springframework.boot.web.server.servlet.context.ServletWebServerApplicationContext;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.boot.webmvc.autoconfigure.error.ErrorMvcAutoConfiguration;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Import;
import org.springframework.web.filter.RequestContextFilter;

/** A running node: database, ledger and HTTP, begun in this order and ended in the opposite one. */
public final class Server implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Server.class);

  private static final int POOL_SIZE = 8;

  /** NIST AU-8 and PCI 10.7: a silence of two hours is a finding. */
  private static final Duration HEARTBEAT_INTERVAL = Duration.ofHours(1);

  private final Deque<AutoCloseable> parts = new ArrayDeque<>();
  private final String url;

  @SpringBootConfiguration(proxyBeanMethods = false)
  // Errors are answered by Answers and PlainErrorValve; Spring's page would tell time and path.
  @EnableAutoConfiguration(exclude = ErrorMvcAutoConfiguration.class)
  @Import({
    Answers.class,
    TokenRoutes.class,
    LifecycleRoutes.class,
    ImportRoutes.class,
    SqlRoutes.class,
    TlogRoutes.class,
    AuditRoutes.class,
    TimelineRoutes.class,
    ReportRoutes.class,
    ProbeRoutes.class,
    CheckRoutes.class,
    GatewayRoutes.class,
    FeedRoutes.class,
    LedgerRoutes.class,
    ArchiveRoutes.class,
    PrivacyRoutes.class,
    RetentionRoutes.class,
    QuarantineRoutes.class,
    SinkRoutes.class,
    ReplayRoutes.class,
    CatalogueRoutes.class
  })
  static class Configuration {

    @Bean
    Admission admission(MeterRegistry meters) {
      return new Admission(meters);
    }

    @Bean
    WebServerFactoryCustomizer<TomcatServletWebServerFactory> threads(Admission admission) {
      return factory ->
          factory.addConnectorCustomizers(
              connector -> connector.getProtocolHandler().setExecutor(admission));
    }

    @Bean
    LedgerFilter ledgerFilter(
        Ledger ledger,
        ServeOptions options,
        Answers answers,
        Admission admission,
        GatewayRoutes gateway,
        CheckRoutes checks) {
      return new LedgerFilter(ledger, options, answers, admission, gateway, checks);
    }

    @Bean
    WebServerFactoryCustomizer<TomcatServletWebServerFactory> plainErrors() {
      return factory ->
          factory.addContextCustomizers(
              context ->
                  ((StandardHost) context.getParent())
                      .setErrorReportValveClass(PlainErrorValve.class.getName()));
    }

    /** Keeps Spring's own away, for nothing here asks for the request of the thread. */
    @Bean
    FilterRegistrationBean<RequestContextFilter> noRequestContexts() {
      FilterRegistrationBean<RequestContextFilter> none =
          new FilterRegistrationBean<>(new RequestContextFilter());
      none.setEnabled(false);
      return none;
    }

    @Bean
    SecretAnswers secretAnswers(Ledger ledger, ServeOptions options) {
      return new SecretAnswers(ledger, !options.noSecretReplay());
    }

    @Bean
    AuditReads auditReads(Ledger ledger, ServeOptions options) {
      return new AuditReads(ledger, options.separateDuties());
    }
  }

  private Server(ServeOptions options) {
    requireStartable(options);
    try {
      DatabaseUrl database = options.databaseUrl();
      if (database == null) {
        EmbeddedPostgres postgres =
            EmbeddedPostgres.start(options.dataDir(), presetBinaries(), options.walArchive());
        parts.push(postgres);
        if (options.walArchive() != null && postgres.adopted()) {
          LOG.warn("PostgreSQL ran already: it archives only if it was started so; stop and start");
        }
        database = postgres.url();
      }
      PrometheusMeterRegistry meters = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
      parts.push(meters::close);
      bindJvm(meters);
      Ledger ledger =
          Ledger.open(
              new LedgerOptions(
                  database,
                  options.ledgerKeyFile(),
                  options.subjectKeyStore(),
                  options.logOrigin(),
                  options.nodeId(),
                  POOL_SIZE,
                  options.signingKeyFiles(),
                  options.stateDir(),
                  options.trustCheckpoint(),
                  options.noticeWebhook(),
                  options.witnesses(),
                  options.timestampAuthority(),
                  options.sinks(),
                  options.archive()),
              meters);
      parts.push(ledger);
      provision(ledger, options);
      ConfigurableApplicationContext context = startHttp(options, ledger, meters);
      parts.push(context);
      if (options.recoveryBind() != null) {
        parts.push(new RecoveryListener(ledger, options.recoveryBind()));
      }
      ledger.serving(ProbeRoutes.VERSION, options.settings(), HEARTBEAT_INTERVAL);
      int port =
          Objects.requireNonNull(((ServletWebServerApplicationContext) context).getWebServer())
              .getPort();
      this.url =
          (options.tlsCert() == null ? "http://" : "https://")
              + new BindAddress(options.httpBind().host(), port);
      warnWhenOpen(options);
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  /**
   * Starts a node. When this returns it serves.
   *
   * @throws IllegalStateException with one sentence when something is set wrongly
   * @throws PortInUseException when another program listens on the port
   */
  public static Server start(ServeOptions options) {
    return new Server(options);
  }

  /** What would else come out deep in a start, in somebody else's words. */
  private static void requireStartable(ServeOptions options) {
    options.httpBind().requireFree("--http-bind");
    if (options.recoveryBind() != null) {
      options.recoveryBind().requireFree("--admin-token-recovery-http-bind");
    }
    requireReadable("--tls-cert", options.tlsCert());
    requireReadable("--tls-key", options.tlsKey());
  }

  private static void requireReadable(String flag, @Nullable Path file) {
    if (file != null && !(Files.isRegularFile(file) && Files.isReadable(file))) {
      throw new IllegalArgumentException(flag + " " + file + " cannot be read");
    }
  }

  private static @Nullable Path presetBinaries() {
    String preset = System.getenv("LEDGER_POSTGRES_BINARIES");
    return preset == null || preset.isEmpty() ? null : Path.of(preset);
  }

  @SuppressWarnings("resource") // JvmGcMetrics lives as long as the process.
  private static void bindJvm(PrometheusMeterRegistry meters) {
    new JvmMemoryMetrics().bindTo(meters);
    new JvmThreadMetrics().bindTo(meters);
    new JvmGcMetrics().bindTo(meters);
  }

  private static void provision(Ledger ledger, ServeOptions options) {
    if (options.withoutAuth() || ledger.restored() != null) {
      return;
    }
    TokenFiles files = new TokenFiles(ledger);
    if (options.adminTokenFile() != null) {
      files.provisionAdmin(options.adminTokenFile());
    }
    if (options.permissionTokensFile() != null) {
      files.provisionPermissionTokens(options.permissionTokensFile());
    }
  }

  private static ConfigurableApplicationContext startHttp(
      ServeOptions options, Ledger ledger, PrometheusMeterRegistry meters) {
    Map<String, Object> settings = new HashMap<>();
    settings.put("server.address", options.httpBind().host());
    settings.put("server.port", options.httpBind().port());
    if (options.tlsCert() != null && options.tlsKey() != null) {
      settings.put("server.ssl.certificate", "file:" + options.tlsCert().toAbsolutePath());
      settings.put(
          "server.ssl.certificate-private-key", "file:" + options.tlsKey().toAbsolutePath());
      settings.put("server.ssl.enabled-protocols", "TLSv1.3,TLSv1.2");
    }
    // Both would read bodies before it is known who sends them, the first into parameters.
    settings.put("spring.mvc.formcontent.filter.enabled", "false");
    settings.put("spring.servlet.multipart.enabled", "false");
    SpringApplication application = new SpringApplication(Configuration.class);
    application.setBannerMode(Banner.Mode.OFF);
    application.setLogStartupInfo(false);
    application.setRegisterShutdownHook(false);
    application.setDefaultProperties(settings);
    application.addInitializers(
        context -> {
          var beans = context.getBeanFactory();
          beans.registerSingleton("ledger", ledger);
          beans.registerSingleton("serveOptions", options);
          beans.registerSingleton("meters", meters);
        });
    try {
      return application.run();
    } catch (RuntimeException e) {
      if (options.tlsCert() == null || ServeCommand.portInUse(e) != null) {
        throw e;
      }
      throw new IllegalStateException(
          "--tls-cert "
              + options.tlsCert()
              + " and --tls-key "
              + options.tlsKey()
              + " cannot be used: "
              + rootCause(e),
          e);
    }
  }

  private static String rootCause(Throwable failure) {
    Throwable root = failure;
    while (root.getCause() != null && root.getCause() != root) {
      root = root.getCause();
    }
    return String.valueOf(root.getMessage()).lines().findFirst().orElse("");
  }

  private static void warnWhenOpen(ServeOptions options) {
    if (options.withoutAuth()) {
      LOG.warn("started without auth: anyone who reaches {} may do anything", options.httpBind());
    }
    if (!options.httpBind().isLoopback() && options.tlsCert() == null) {
      LOG.warn(
          "tokens cross the network in clear: {} is not loopback and --tls-cert is not given",
          options.httpBind());
    }
  }

  /** Where it serves, {@code http://HOST:PORT}. */
  public String url() {
    return url;
  }

  /** Answers what was asked, takes no more, and stops all that {@link #start} started. */
  @Override
  public void close() {
    while (!parts.isEmpty()) {
      try {
        parts.pop().close();
      } catch (Exception e) {
        LOG.warn("a part did not stop cleanly", e);
      }
    }
  }
}
