import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.Reader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Stands in for the vendor's terminal: a launcher that brings the real program into lib/ and runs it as its child.
 *
 * <p>It follows `standin.properties` in its folder: update_ms, start_ms, login_ms, stop_ms (times), password (the one
 * that the vendor takes), refused (exit or loop), exit_code (end at once with it), leaks (secrets in the log), and
 * upstream and upstream_stream (a simulator that has the data). While it serves, GET /__standin/... makes it act:
 * kick, free, hang, exit/3, word/ERROR, say/text.
 */
public final class StandIn {
    private static final String BUILD = "202611141";
    private static final String TAKEN = "Invalid session ID. This can occur if more than one terminal is running.";
    private static final Properties SCRIPT = new Properties();

    private static volatile String word = "UNVERIFIED";
    private static volatile boolean kicked;
    private static volatile boolean hangs;

    private StandIn() {}

    public static void main(String[] arguments) throws Exception {
        try (Reader script = Files.newBufferedReader(Path.of("standin.properties"))) {
            SCRIPT.load(script);
        } catch (NoSuchFileException none) {
            say("Nothing is scripted");
        }
        Path jar = Path.of(StandIn.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        if (jar.getParent().endsWith("lib")) {
            serve(arguments);
        } else {
            launch(jar, arguments);
        }
    }

    private static void launch(Path jar, String[] arguments) throws Exception {
        Path program = jar.resolveSibling("lib").resolve(BUILD + ".jar");
        if (!Files.exists(program)) {
            say("Downloading terminal " + BUILD);
            Thread.sleep(number("update_ms"));
            Files.createDirectories(program.getParent());
            Files.copy(jar, program);
        }
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        List<String> command = new ArrayList<>(List.of(java, "-XX:+IgnoreUnrecognizedVMOptions", "-jar"));
        command.add(program.toString());
        command.addAll(List.of(arguments));
        System.exit(new ProcessBuilder(command).inheritIO().start().waitFor());
    }

    private static void serve(String[] arguments) throws Exception {
        Runtime.getRuntime().addShutdownHook(new Thread(StandIn::end));
        Thread.sleep(number("start_ms"));
        List<String> credentials = Files.readAllLines(Path.of(option(arguments, "--creds-file")));
        String config = Files.readString(Path.of(option(arguments, "--config")));
        say("Heap " + Runtime.getRuntime().maxMemory() / (1 << 20) + " MB");
        say("Home " + System.getProperty("user.home"));
        if (SCRIPT.containsKey("leaks")) {
            say("Logging in as " + credentials.get(0) + " with " + credentials.get(1));
        }
        if (SCRIPT.containsKey("exit_code")) {
            System.exit((int) number("exit_code"));
        }
        boolean refused = !credentials.get(1).equals(SCRIPT.getProperty("password", credentials.get(1)));
        if (refused) {
            say("Disconnected: INVALID_CREDENTIALS");
            if ("exit".equals(SCRIPT.getProperty("refused"))) {
                System.exit(1);
            }
        }
        say("Starting server");
        InetAddress host = InetAddress.getByName(value(config, "host"));
        HttpServer server = HttpServer.create(new InetSocketAddress(host, Integer.parseInt(value(config, "port"))), 0);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/", StandIn::answer);
        server.start();
        if (SCRIPT.containsKey("upstream_stream") && Boolean.parseBoolean(value(config, "enable"))) {
            forward(new ServerSocket(Integer.parseInt(value(config, "ws_port")), 0, host));
        }
        Thread.sleep(number("login_ms"));
        word = refused ? word : "CONNECTED";
    }

    private static void end() {
        say("Shutting down");
        try {
            Thread.sleep(number("stop_ms"));
        } catch (InterruptedException ended) {
            return;
        }
    }

    private static void answer(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        try (exchange) {
            if (path.startsWith("/__standin/")) {
                obey(exchange, path.split("/", 4));
                return;
            }
            while (hangs) {
                Thread.sleep(1000);
            }
            if (path.equals("/v3/terminal/mdds/status")) {
                reply(exchange, 200, kicked ? "UNVERIFIED" : word);
            } else if (path.equals("/v3/terminal/shutdown")) {
                reply(exchange, 200, "OK");
                System.exit(0);
            } else if (kicked) {
                reply(exchange, 478, TAKEN);
            } else if (SCRIPT.containsKey("upstream")) {
                ask(exchange);
            } else {
                reply(exchange, 404, "No implementation");
            }
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
        }
    }

    private static void obey(HttpExchange exchange, String[] order) throws IOException {
        reply(exchange, 200, "OK");
        switch (order[2]) {
            case "kick" -> kicked = true;
            case "free" -> kicked = false;
            case "hang" -> hangs = true;
            case "exit" -> Runtime.getRuntime().halt(Integer.parseInt(order[3]));
            case "word" -> word = order[3];
            case "say" -> say(order[3]);
            default -> say("What is " + order[2] + "?");
        }
    }

    private static void reply(HttpExchange exchange, int status, String text) throws IOException {
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "text/plain");
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
        exchange.getResponseBody().close();
    }

    /** Made when it is first needed. */
    private static final class Upstream {
        private static final HttpClient CLIENT = HttpClient.newHttpClient();
    }

    private static void ask(HttpExchange exchange) throws IOException, InterruptedException {
        URI uri = URI.create(SCRIPT.getProperty("upstream") + exchange.getRequestURI());
        HttpRequest request =
                HttpRequest.newBuilder(uri)
                        .header("User-Agent", exchange.getRequestHeaders().getFirst("User-Agent"))
                        .build();
        HttpResponse<InputStream> answer = Upstream.CLIENT.send(request, HttpResponse.BodyHandlers.ofInputStream());
        answer.headers().firstValue("Content-Type").ifPresent(kind ->
                exchange.getResponseHeaders().set("Content-Type", kind));
        exchange.sendResponseHeaders(answer.statusCode(), 0);
        try (InputStream body = answer.body()) {
            body.transferTo(exchange.getResponseBody());
        }
        exchange.getResponseBody().close();
    }

    private static void forward(ServerSocket listener) {
        Thread.startVirtualThread(() -> {
            String[] upstream = SCRIPT.getProperty("upstream_stream").split(":");
            while (true) {
                try {
                    Socket client = listener.accept();
                    Socket server = new Socket(upstream[0], Integer.parseInt(upstream[1]));
                    Thread.startVirtualThread(() -> pump(client, server));
                    Thread.startVirtualThread(() -> pump(server, client));
                } catch (IOException lost) {
                    say("Stream: " + lost);
                }
            }
        });
    }

    private static void pump(Socket from, Socket to) {
        try (from; to) {
            from.getInputStream().transferTo(to.getOutputStream());
        } catch (IOException closed) {
            return;
        }
    }

    private static String option(String[] arguments, String name) {
        for (String argument : arguments) {
            if (argument.startsWith(name + "=")) {
                return argument.substring(name.length() + 1);
            }
        }
        throw new IllegalArgumentException(name + " is missing");
    }

    /** The first value of that name: those of the top come before all sections. */
    private static String value(String config, String name) {
        Matcher found = Pattern.compile("(?m)^" + name + " = \"?([^\"\n]*)\"?$").matcher(config);
        if (!found.find()) {
            throw new IllegalArgumentException(name + " is not configured");
        }
        return found.group(1);
    }

    private static long number(String name) {
        return Long.parseLong(SCRIPT.getProperty(name, "0"));
    }

    private static void say(String text) {
        System.out.println("[terminal] " + text);
    }
}
