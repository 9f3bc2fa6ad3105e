import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A wire between a client and a server on loopback that can be cut and mended. Bytes pass as they are. */
export class CutWire {
  /** What the client is told in the place of the server's address. */
  readonly url: string;
  readonly #port: number;
  readonly #target: URL;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  private constructor(server: Server, target: URL) {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new TypeError('the wire has no port');
    this.#server = server;
    this.#target = target;
    this.#port = address.port;
    this.url = `${target.protocol}//127.0.0.1:${address.port}`;
    this.#serve(server);
  }

  static async to(url: string): Promise<CutWire> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new CutWire(server, new URL(url));
  }

  /** Ends every connection and refuses further ones. */
  async cut(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = once(server, 'close');
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async mend(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer();
    this.#serve(server);
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#server = server;
  }

  #serve(server: Server): void {
    server.on('connection', (near) => {
      const far = connect(Number(this.#target.port), this.#target.hostname);
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(socket);
        socket.on('error', () => other.destroy());
        socket.on('close', () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
      }
      near.pipe(far);
      far.pipe(near);
    });
  }
}
