import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/** What the harness asks for, over a connection to it: `BLOCK_BYTES THREADS MILLIS`, answered by a line; until it ends. */
final class Orders {
    private final int port;
    private final Load.Safe safe;

    Orders(int port, Load.Safe safe) {
        this.port = port;
        this.safe = safe;
    }

    /** Says that it is there, and obeys until the harness hangs up. */
    void obey() throws IOException {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.setTcpNoDelay(true);
            BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
            Writer out = new OutputStreamWriter(socket.getOutputStream(), StandardCharsets.UTF_8);
            say(out, "ready");
            for (String line = in.readLine(); line != null; line = in.readLine()) say(out, answer(line));
        }
    }

    private String answer(String line) {
        try {
            String[] words = line.split(" ");
            Load load = new Load(safe, Integer.parseInt(words[1]), Integer.parseInt(words[0]));
            return load.run(Long.parseLong(words[2]));
        } catch (Exception error) {
            return "failed " + String.valueOf(error).replace('\n', ' ');
        }
    }

    private static void say(Writer out, String line) throws IOException {
        out.write(line + "\n");
        out.flush();
    }
}
