import type { IncomingMessage } from 'node:http';
import { Problem } from '../app/problem.ts';

/** A task with fifty thousand requirements is about 5 MB. */
const MAX_FORM_BYTES = 16 * 1_048_576;
/** Of all requests together, and of those of one sender; a call waits for no other, so more is refused. */
const MAX_HELD_BYTES = 128 * 1_048_576;
const MAX_HELD_BY_ONE = 32 * 1_048_576;
/** A call that is no larger is read whatever others hold: nobody keeps workers from their work with bodies that never end. */
const SMALL_BYTES = 65_536;
const FORM = /^application\/x-www-form-urlencoded(?:; ?charset=utf-8)?$/i;

/** A form that was read; it counts as held until its call is over. */
export interface HeldForm {
  readonly text: string;
  readonly release: () => void;
}

/** Reads the forms of calls, whole and bounded. */
export class RequestForms {
  #held = 0;
  readonly #heldBy = new Map<string, number>();

  /**
   * @param who sends it
   * @throws {Problem} `content-type-unsupported`, `body-too-large`, `request-timeout`, `request-malformed`, `overloaded`
   */
  read(request: IncomingMessage, who: string, timeoutMs: number): Promise<HeldForm> {
    const { headers } = request;
    if (!FORM.test(headers['content-type'] ?? '') || headers['content-encoding'] !== undefined)
      throw new Problem('content-type-unsupported', 'The body is no form: application/x-www-form-urlencoded');
    if (Number(headers['content-length'] ?? 0) > MAX_FORM_BYTES) throw tooLarge();
    return this.#whole(request, who, timeoutMs);
  }

  #whole(request: IncomingMessage, who: string, timeoutMs: number): Promise<HeldForm> {
    return new Promise((resolve, reject) => {
      const parts: Buffer[] = [];
      let size = 0;
      const settle = (problem?: Problem) => {
        clearTimeout(timer);
        request.off('data', take).off('end', end).off('close', gone);
        const release = () => this.#hold(who, -size);
        if (problem === undefined) return resolve({ text: textOf(parts), release });
        release();
        reject(problem);
      };
      const take = (part: Buffer) => {
        size += part.length;
        this.#hold(who, part.length);
        if (size > MAX_FORM_BYTES) settle(tooLarge());
        else if (size > SMALL_BYTES && this.#isFull(who)) settle(overloaded());
        else parts.push(part);
      };
      const end = () => settle();
      const gone = () => settle(new Problem('request-malformed', 'The connection ended within the body'));
      const late = () => settle(new Problem('request-timeout', 'The body did not arrive in time'));
      const timer = setTimeout(late, timeoutMs);
      request.on('data', take).on('end', end).on('close', gone);
    });
  }

  #hold(who: string, bytes: number): void {
    this.#held += bytes;
    const own = (this.#heldBy.get(who) ?? 0) + bytes;
    if (own > 0) this.#heldBy.set(who, own);
    else this.#heldBy.delete(who);
  }

  #isFull(who: string): boolean {
    return this.#held > MAX_HELD_BYTES || (this.#heldBy.get(who) ?? 0) > MAX_HELD_BY_ONE;
  }
}

function overloaded(): Problem {
  return new Problem('overloaded', 'Too many large calls come at once', { headers: { 'retry-after': '5' } });
}

function textOf(parts: readonly Buffer[]): string {
  // Bytes beyond ASCII become characters that no form has.
  return (parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)).toString('latin1');
}

function tooLarge(): Problem {
  return new Problem('body-too-large', `A call to luigid has at most ${MAX_FORM_BYTES} bytes`);
}
