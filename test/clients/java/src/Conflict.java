import org.postgresql.util.PSQLException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Reads docstore's error, for JDBC and for what stands on it. */
class Conflict {
    // begin violations
    /** The violations of docstore's conflict, as JSON; empty for any other error. Batches and ORMs wrap the error of the server. */
    static JsonNode violations(Throwable error) {
        for (var cause = error; cause != null; cause = cause.getCause())
            if (cause instanceof PSQLException server && "PT409".equals(server.getSQLState()))
                return JsonMapper.shared().readTree(server.getServerErrorMessage().getDetail()).get("violations");
        return JsonMapper.shared().createArrayNode();
    }
    // end violations
}
