import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.Statement;

/**
 * Changes rows of an embedded ledger's database as its superuser, past every grant and trigger:
 * {@code java -cp 'ledger-api/target/app/lib/*' ops/examples/Superuser.java DATA_DIR SQL...}. For
 * showing that the log finds it.
 */
public final class Superuser {

  public static void main(String[] args) throws Exception {
    Path data = Path.of(args[0]);
    String port = Files.readAllLines(data.resolve("postgres/postmaster.pid")).get(3).strip();
    String password = Files.readString(data.resolve("postgres.password")).strip();
    try (Connection connection =
            DriverManager.getConnection(
                "jdbc:postgresql://127.0.0.1:" + port + "/ledger", "postgres", password);
        Statement statement = connection.createStatement()) {
      statement.execute("SET session_replication_role = replica");
      for (int i = 1; i < args.length; i++) {
        System.out.println(statement.executeUpdate(args[i]) + " rows: " + args[i]);
      }
    }
  }
}
