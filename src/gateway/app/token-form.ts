import { identityRejected } from '../issuer/identity-rejected.ts';

export const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const WORKER_TOKEN_TYPE = 'https://plumbline.dev/token-type/worker';

/** What `POST /v1/token` takes; RFC 8693 §2.1 with the two fields of a task. */
export interface TokenForm {
  readonly subjectToken: string;
  readonly family: string;
  readonly taskId: string;
  readonly audience?: string | undefined;
}

const LONGEST = {
  grant_type: 128,
  subject_token: 256,
  subject_token_type: 128,
  task_family: 255,
  task_id: 1_024,
  audience: 600,
};
const FIELDS: ReadonlySet<string> = new Set(Object.keys(LONGEST));
/** Letters of any language, and no control, format or lone half of a character. */
const PLAIN = /^[^\p{C}\p{Z}]+(?: [^\p{C}\p{Z}]+)*$/u;

/**
 * Reads `application/x-www-form-urlencoded` strictly: each field once, none that is not known, none empty, UTF-8.
 *
 * @throws {PlumblineError} `ERR_IDENTITY_REJECTED` (`malformed`), naming the field and never a value
 */
export function readTokenForm(body: Uint8Array): TokenForm {
  const fields = fieldsOf(body);
  const required = (name: keyof typeof LONGEST) => fields.get(name) ?? wrong(`${name} is missing`);
  if (required('grant_type') !== GRANT_TYPE) wrong('grant_type is not that of a token exchange');
  if (required('subject_token_type') !== WORKER_TOKEN_TYPE) wrong("subject_token_type is not that of a worker's token");
  return {
    subjectToken: required('subject_token'),
    family: required('task_family'),
    taskId: required('task_id'),
    audience: fields.get('audience'),
  };
}

function fieldsOf(body: Uint8Array): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const pair of textOf(body).split('&')) {
    const at = pair.indexOf('=');
    const name = at === -1 ? '' : pair.slice(0, at);
    if (!FIELDS.has(name)) wrong('it has a field that is not known');
    if (fields.has(name)) wrong(`${name} stands more than once`);
    fields.set(name, textOfField(name as keyof typeof LONGEST, pair.slice(at + 1)));
  }
  return fields;
}

function textOf(body: Uint8Array): string {
  const text = Buffer.from(body).toString('latin1');
  // Whatever else there is has to be escaped; some readers take `;` for `&`.
  return /^[\w*.~+%&=:/@,-]*$/.test(text) ? text : wrong('it is not form-urlencoded');
}

function textOfField(name: keyof typeof LONGEST, encoded: string): string {
  const value = plainText(encoded) ?? wrong(`${name} is not encoded as UTF-8`);
  if (value.length > LONGEST[name] || !PLAIN.test(value)) wrong(`${name} is empty, too long, or has other characters`);
  return value;
}

function plainText(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

function wrong(why: string): never {
  throw identityRejected({ reason: 'malformed' }, why);
}
