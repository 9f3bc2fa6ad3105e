import type { IncomingHttpHeaders } from 'node:http';
import { bodyError, type RequestName, statusError } from './http-error.ts';

/** A complete answer; its body has been read and, if it was compressed, expanded. */
export class HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly #request: RequestName;

  constructor(request: RequestName, answer: { status: number; headers: IncomingHttpHeaders; body: Buffer }) {
    this.#request = request;
    this.status = answer.status;
    this.headers = answer.headers;
    this.body = answer.body;
  }

  /** 2xx. */
  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  header(name: string): string | undefined {
    const value = this.headers[name.toLowerCase()];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  text(): string {
    return this.body.toString('utf8');
  }

  /** @throws {PlumblineError} `ERR_HTTP_BODY` when the body is no JSON. */
  json(): unknown {
    try {
      return JSON.parse(this.text());
    } catch {
      // The parser's own message quotes the body, which may hold a token.
      const type = this.header('content-type') ?? 'no content type';
      throw bodyError(
        this.#request,
        `HTTP ${this.status} with a body that is no JSON (${type}, ${this.body.length} bytes)`,
      );
    }
  }

  /** This response when its status is 2xx. @throws {PlumblineError} `ERR_HTTP_STATUS` else. */
  requireOk(): this {
    if (this.ok) return this;
    throw statusError(this.#request, this.status);
  }
}
