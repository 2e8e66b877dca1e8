// Hocuspocus' own server with its defaults; documents live in memory only.
import { Server } from "@hocuspocus/server";

const server = new Server({ address: "127.0.0.1", port: Number(process.argv[2]), quiet: true });
server.listen();
