import type { IncomingMessage } from 'node:http';
import { Problem } from '../app/problem.ts';

/** A task with fifty thousand requirements is about 5 MB. */
const MAX_FORM_BYTES = 16 * 1_048_576;
/** Of all requests together; a call waits for no other, so more is refused. */
const MAX_HELD_BYTES = 128 * 1_048_576;
const FORM = /^application\/x-www-form-urlencoded(?:; ?charset=utf-8)?$/i;

/** Reads the forms of calls, whole and bounded. */
export class RequestForms {
  #held = 0;

  /** @throws {Problem} `content-type-unsupported`, `body-too-large`, `request-timeout`, `request-malformed`, `overloaded` */
  read(request: IncomingMessage, timeoutMs: number): Promise<string> {
    const { headers } = request;
    if (!FORM.test(headers['content-type'] ?? '') || headers['content-encoding'] !== undefined)
      throw new Problem('content-type-unsupported', 'The body is no form: application/x-www-form-urlencoded');
    if (Number(headers['content-length'] ?? 0) > MAX_FORM_BYTES) throw tooLarge();
    return this.#whole(request, timeoutMs);
  }

  #whole(request: IncomingMessage, timeoutMs: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const parts: Buffer[] = [];
      let size = 0;
      const settle = (problem?: Problem) => {
        clearTimeout(timer);
        request.off('data', take).off('end', end).off('close', gone);
        this.#held -= size;
        if (problem === undefined) resolve(textOf(parts));
        else reject(problem);
      };
      const take = (part: Buffer) => {
        size += part.length;
        this.#held += part.length;
        if (size > MAX_FORM_BYTES) settle(tooLarge());
        else if (this.#held > MAX_HELD_BYTES) settle(new Problem('overloaded', 'Too many large calls come at once'));
        else parts.push(part);
      };
      const end = () => settle();
      const gone = () => settle(new Problem('request-malformed', 'The connection ended within the body'));
      const late = () => settle(new Problem('request-timeout', 'The body did not arrive in time'));
      const timer = setTimeout(late, timeoutMs);
      request.on('data', take).on('end', end).on('close', gone);
    });
  }
}

function textOf(parts: readonly Buffer[]): string {
  // Bytes beyond ASCII become characters that no form has.
  return (parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)).toString('latin1');
}

function tooLarge(): Problem {
  return new Problem('body-too-large', `A call to luigid has at most ${MAX_FORM_BYTES} bytes`);
}
