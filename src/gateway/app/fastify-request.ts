import type { Caller } from '../auth/caller.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; `null` only on routes that are public. */
    caller: Caller | null;
    /** SHA-256 of the body as it came, hexadecimal; of nothing where there is none. */
    bodyHash: string;
    /** It came before, just so, with the same token, which is for one request. */
    isRepeated: boolean;
  }

  interface FastifyContextConfig {
    /** Answers without a token. Everything else is refused without one. */
    readonly public?: boolean;
    /** Asks for the token of a worker in its body, instead of one in `Authorization`. */
    readonly worker?: boolean;
    /** A page for people, who have no token. */
    readonly person?: boolean;
    /** Its answers last as long as somebody watches. */
    readonly stream?: boolean;
  }
}
