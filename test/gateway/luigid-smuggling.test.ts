import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { JsonValue } from '#core/json.ts';
import { LUIGID_METHODS } from '#gateway/luigid/luigid-methods.ts';
import { LuigidWorld } from '../support/gateway/luigid-world.ts';

/** What a worker of `sales` may have brought to luigid: nothing, or one call of its own in the one form that the gateway writes. */
type Reaches = 'nothing' | 'ping' | 'add_task';

interface Case {
  readonly what: string;
  /** `$AUTH` a worker's header, `$ID` its id, `$OTHER` that of another role's worker, `$LENGTH` of the body. */
  readonly text: string;
  /** In which it is sent, one after the other. */
  readonly pieces?: number;
  readonly statuses: readonly number[];
  readonly reaches?: Reaches;
  /** Answers on the connection; one unless it is said otherwise. */
  readonly answers?: number;
}

const FORM = 'Content-Type: application/x-www-form-urlencoded';
/** The connection is over when the answer is there. */
const CLOSE = 'Connection: close\r\n';
const PING = form({ worker: '$ID' });
const EVIL = form({});

function form(given: JsonValue): string {
  return `data=${encodeURIComponent(JSON.stringify(given)).replaceAll('%24', '$')}`;
}

/** A request of a worker; the length is right unless a header says something else. */
function request(body = PING, { path = '/luigid/api/ping', verb = 'POST', headers = '' } = {}): string {
  return `${verb} ${path} HTTP/1.1\r\nHost: g\r\n$AUTH\r\n${FORM}\r\n${headers}${CLOSE}Content-Length: $LENGTH\r\n\r\n${body}`;
}

/** With every header under the test's control. */
function raw(headers: readonly string[], body: string, line = 'POST /luigid/api/ping HTTP/1.1'): string {
  return `${[line, 'Host: g', '$AUTH', FORM, 'Connection: close', ...headers].join('\r\n')}\r\n\r\n${body}`;
}

const PRUNE = `POST /luigid/api/prune HTTP/1.1\r\nHost: g\r\n$AUTH\r\n${FORM}\r\n${CLOSE}Content-Length: ${EVIL.length}\r\n\r\n${EVIL}`;
const BAD = [400];

function one(what: string, text: string, statuses: readonly number[], reaches: Reaches = 'nothing'): Case {
  return { what, text, statuses, reaches };
}

const FRAMING: readonly Case[] = [
  one(
    'Content-Length and Transfer-Encoding',
    raw(['Content-Length: 6', 'Transfer-Encoding: chunked'], `0\r\n\r\n${PRUNE}`),
    BAD,
  ),
  one(
    'Transfer-Encoding and Content-Length',
    raw(['Transfer-Encoding: chunked', 'Content-Length: 400'], `0\r\n\r\n${PRUNE}`),
    BAD,
  ),
  one(
    'Transfer-Encoding twice',
    raw(['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], `0\r\n\r\n${PRUNE}`),
    BAD,
  ),
  one(
    'Transfer-Encoding of another case and a tab',
    raw(['tRANSFER-eNCODING:\tchunked, identity'], `0\r\n\r\n${PRUNE}`),
    BAD,
  ),
  one('an unknown Transfer-Encoding', raw(['Transfer-Encoding: xchunked'], `0\r\n\r\n${PRUNE}`), BAD),
  one('a quoted Transfer-Encoding', raw(['Transfer-Encoding: "chunked"'], `0\r\n\r\n${PRUNE}`), BAD),
  one(
    'Transfer-Encoding with a space before the colon',
    raw(['Transfer-Encoding : chunked', 'Content-Length: 3'], `0\r\n\r\n`),
    BAD,
  ),
  one(
    'Transfer_Encoding with an underscore',
    raw(['Transfer_Encoding: chunked', 'Content-Length: 3'], '0\r\n\r\n'),
    BAD,
  ),
  one('Content_Length with an underscore', raw(['Content_Length: 0', 'Content-Length: 3'], 'abc'), BAD),
  one('Content-Length twice, different', raw(['Content-Length: 5', 'Content-Length: 60'], PRUNE), BAD),
  one('Content-Length twice, the same', raw(['Content-Length: 5', 'Content-Length: 5'], 'data='), BAD),
  one('a list as Content-Length', raw(['Content-Length: 5, 5'], 'data='), BAD),
  one('a signed Content-Length', raw(['Content-Length: +5'], 'data='), BAD),
  one('a hexadecimal Content-Length', raw(['Content-Length: 0x5'], 'data='), BAD),
  one('a Content-Length that is too large', raw(['Content-Length: 99999999999999999999'], 'data='), [400, 413]),
  one(
    'a chunk with an extension that hides a request',
    raw(['Transfer-Encoding: chunked'], `5;a="\r\n\r\n${PRUNE}"\r\ndata=\r\n0\r\n\r\n`),
    BAD,
  ),
  one('a chunk size with a sign', raw(['Transfer-Encoding: chunked'], `+5\r\ndata=\r\n0\r\n\r\n`), BAD),
  one('a chunk size with 0x', raw(['Transfer-Encoding: chunked'], `0x5\r\ndata=\r\n0\r\n\r\n`), BAD),
  one(
    'a chunk size that overflows',
    raw(['Transfer-Encoding: chunked'], `fffffffffffffffff\r\ndata=\r\n0\r\n\r\n`),
    BAD,
  ),
  one('a chunk that ends with LF only', raw(['Transfer-Encoding: chunked'], `5\ndata=\n0\n\n`), BAD),
  one('a chunk that is longer than it says', raw(['Transfer-Encoding: chunked'], `3\r\ndata=\r\n0\r\n\r\n`), BAD),
  one(
    'a trailer that would be a header',
    raw(['Transfer-Encoding: chunked', 'Trailer: Authorization'], `0\r\nAuthorization: Bearer x\r\n\r\n`),
    BAD,
  ),
  one('a body in two chunks', raw(['Transfer-Encoding: chunked'], '$CHUNKED'), [200], 'ping'),
  one('a body that is shorter than it says', raw(['Content-Length: 5000'], PING), [408]),
  one('a GET with a body', request(PING, { verb: 'GET' }), BAD),
  one(
    'a gzip body',
    raw(['Content-Encoding: gzip', `Content-Length: 3`], gzipSync('x').toString('latin1').slice(0, 3)),
    [415],
  ),
  one('a body of 17 MiB that is announced', raw(['Content-Length: 17825792'], 'data='), [413]),
];

const HEADERS: readonly Case[] = [
  one('Authorization twice', request(PING, { headers: '$AUTH\r\n' }), BAD),
  one('Authorization of another worker beside it', request(PING, { headers: 'AUTHORIZATION: Bearer x\r\n' }), BAD),
  one(
    'a folded Authorization',
    `POST /luigid/api/ping HTTP/1.1\r\nHost: g\r\nX: a\r\n $AUTH\r\n${FORM}\r\n${CLOSE}Content-Length: $LENGTH\r\n\r\n${PING}`,
    [400, 401],
  ),
  one('a bare CR in a header', request(PING, { headers: 'X: a\rY: b\r\n' }), BAD),
  one('a bare LF in the head', `POST /luigid/api/ping HTTP/1.1\nHost: g\n$AUTH\n\n`, BAD),
  one('a NUL in a header', request(PING, { headers: 'X: a\0b\r\n' }), BAD),
  one('Host twice', request(PING, { headers: 'Host: h\r\n' }), BAD),
  one(
    'no Host',
    `POST /luigid/api/ping HTTP/1.1\r\n$AUTH\r\n${FORM}\r\n${CLOSE}Content-Length: $LENGTH\r\n\r\n${PING}`,
    BAD,
  ),
  one(
    'another method in a header',
    request(EVIL, { headers: 'X-HTTP-Method-Override: GET\r\nX-Method-Override: prune\r\n' }),
    BAD,
  ),
  one(
    'another path in a header',
    request(PING, { headers: 'X-Original-URL: /api/prune\r\nX-Rewrite-URL: /api/prune\r\n' }),
    [200],
    'ping',
  ),
  one(
    'Connection that names Authorization',
    request(PING, { headers: 'Connection: Authorization, Content-Type\r\n' }),
    [200],
    'ping',
  ),
  one(
    'headers of a proxy',
    request(PING, { headers: 'X-Forwarded-User: root\r\nX-Remote-User: root\r\nX-Forwarded-For: 127.0.0.1\r\n' }),
    [200],
    'ping',
  ),
  one('a cookie for luigid', request(PING, { headers: 'Cookie: admin=1\r\n' }), [200], 'ping'),
  one('Accept-Encoding', request(PING, { headers: 'Accept-Encoding: gzip, br\r\n' }), [200], 'ping'),
  one(
    'an upgrade to h2c',
    request(PING, { headers: 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n' }),
    BAD,
  ),
  one('an upgrade to websocket', request(PING, { headers: 'Connection: Upgrade\r\nUpgrade: websocket\r\n' }), BAD),
  one('the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', BAD),
  one('HTTP/2.0 in the line', raw(['Content-Length: $LENGTH'], PING, 'POST /luigid/api/ping HTTP/2.0'), [400, 505]),
  one('HTTP/0.9', 'GET /luigid/api/prune\r\n\r\n', BAD),
  one(
    'a type with a suffix',
    `POST /luigid/api/ping HTTP/1.1\r\nHost: g\r\n$AUTH\r\n${FORM}x\r\n${CLOSE}Content-Length: $LENGTH\r\n\r\n${PING}`,
    [415],
  ),
  one(
    'a multipart type',
    `POST /luigid/api/ping HTTP/1.1\r\nHost: g\r\n$AUTH\r\nContent-Type: multipart/form-data; boundary=a\r\n${CLOSE}Content-Length: $LENGTH\r\n\r\n${PING}`,
    [415],
  ),
  one(
    'a JSON type',
    `POST /luigid/api/ping HTTP/1.1\r\nHost: g\r\n$AUTH\r\nContent-Type: application/json\r\n${CLOSE}Content-Length: $LENGTH\r\n\r\n${PING}`,
    [415],
  ),
  one(
    'no type',
    `POST /luigid/api/ping HTTP/1.1\r\nHost: g\r\n$AUTH\r\n${CLOSE}Content-Length: $LENGTH\r\n\r\n${PING}`,
    [415],
  ),
  one('a type twice', request(PING, { headers: 'Content-Type: text/plain\r\n' }), BAD),
  one(
    'a charset that shifts bytes',
    `POST /luigid/api/ping HTTP/1.1\r\nHost: g\r\n$AUTH\r\n${FORM}; charset=utf-16\r\n${CLOSE}Content-Length: $LENGTH\r\n\r\n${PING}`,
    [415],
  ),
  one('100 kB of headers', request(PING, { headers: `X: ${'x'.repeat(100_000)}\r\n` }), [431]),
  one('a thousand headers', request(PING, { headers: 'a: b\r\n'.repeat(1_000) }), [431]),
];

const PATHS: readonly Case[] = [
  ...[
    '/luigid/api/%70ing',
    '/luigid/%61pi/ping',
    '/luigid//api/ping',
    '//luigid/api/ping',
    '/luigid/api//ping',
    '/luigid/api/ping/',
    '/luigid/api/ping;x=1',
    '/luigid/api;/ping',
    '/luigid/api/ping%00',
    '/luigid/api/ping%20',
    '/luigid/api/ping%2f',
    '/luigid/api/ping%0d%0aX:%20y',
    '/luigid/api%2fping',
    '/luigid%2fapi/ping',
    '/luigid/api\\ping',
    '/luigid\\api\\ping',
    '/luigid/api/../api/ping',
    '/luigid/./api/ping',
    '/luigid/static/../api/ping',
    '/luigid/static/visualiser/../../api/ping',
    '/luigid/static/visualiser/%2e%2e/%2e%2e/api/ping',
    '/LUIGID/api/ping',
    '/luigid/API/ping',
    '/luigid/api/Ping',
    '/luigid/api/PING',
    '/luigid/api/',
    '/luigid/api',
    '/luigid/api/ping#',
    '/luigid/api/ping?',
    '/luigid/api/ping?x',
    '/luigid/api/ping?data=%7B%7D',
    '/luigid/api/ping?method=prune',
    '/api/ping',
    '/luigid/luigid/api/ping',
    '/luigid/api/update_metrics_task_started',
    '/luigid/api/__init__',
    '/luigid/api/load',
    '/luigid/api/dump',
    '/luigid/history',
    '/luigid/tasklist',
    '/luigid/metrics',
    'http://luigid/api/ping',
    'http://g/luigid/api/ping',
    '*',
    'luigid/api/ping',
  ].map((path) => one(`the path ${path}`, request(PING, { path }), [400, 401, 403, 404])),
  ...['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'HEAD', 'POSTX', 'post'].map((verb) =>
    one(`the verb ${verb}`, request(PING, { verb }), [400, 405]),
  ),
  one('CONNECT', 'CONNECT luigid:80 HTTP/1.1\r\nHost: luigid:80\r\n\r\n', [0, 400, 404]),
  one('a GET of a worker', request('', { verb: 'GET', path: `/luigid/api/ping?${PING}` }), BAD),
  ...['prune', 'pause', 'unpause', 'disable_worker', 'mark_as_done', 'update_resources'].map((name) =>
    one(
      `the method ${name}`,
      request(name === 'disable_worker' ? PING : name === 'mark_as_done' ? form({ task_id: 'sales.A_1' }) : EVIL, {
        path: `/luigid/api/${name}`,
      }),
      [403],
    ),
  ),
];

const FORMS: readonly Case[] = [
  ...(
    [
      ['two fields', `${PING}&${EVIL}`],
      ['two fields with a semicolon', `${PING};${EVIL}`],
      ['a further field', `${PING}&x=1`],
      ['a further field before', `x=1&${PING}`],
      ['an empty field before', `&${PING}`],
      ['an ampersand behind', `${PING}&`],
      ['an escaped name', PING.replace('data', '%64ata')],
      ['a name in brackets', PING.replace('data', 'data[]')],
      ['a name in capitals', PING.replace('data', 'DATA')],
      ['no name', PING.slice(5)],
      ['no field', ''],
      ['an empty field', 'data='],
      ['an equals sign in the value', `${PING}=`],
      ['a broken escape', `${PING}%`],
      ['an escape of one digit', `${PING}%4`],
      ['an escape of no digits', `${PING}%zz`],
      ['an escape of Unicode', PING.replace('%7B', '%u007B')],
      ['overlong UTF-8', PING.replace('%7B', '%C1%BB')],
      ['UTF-8 of a surrogate', 'data=%7B%22worker%22%3A%22%ED%A0%80%22%7D'],
      ['UTF-8 that is cut', 'data=%7B%22worker%22%3A%22%E2%82%22%7D'],
      ['Latin-1', 'data=%7B%22worker%22%3A%22%E9%22%7D'],
      ['a byte that is not escaped', 'data=%7B%22worker%22%3A%22\xe9%22%7D'],
      ['a NUL', `${PING}%00`],
      ['a NUL in the id', form({ worker: '$ID\u0000' })],
      ['a byte order mark', PING.replace('data=', 'data=%EF%BB%BF')],
      ['a line break behind', `${PING}\r\n`],
      ['a line break that is escaped', `${PING.slice(0, -3)}%0D%0A%7D%0D%0Ax`],
      ['white space that JSON has not', PING.replace('data=', 'data=%C2%A0')],
      ['two objects', `${PING}%7B%7D`],
      ['a comment', `${PING}%2F%2A%2A%2F`],
      ['a comma too many', 'data=%7B%22worker%22%3A%22$ID%22%2C%7D'],
      ['a list', form(['$ID'])],
      ['a text', form('$ID')],
      ['null', form(null)],
      ['a key twice', 'data=%7B%22worker%22%3A%22$ID%22%2C%22worker%22%3A%22$OTHER%22%7D'],
      ['a key twice, escaped', 'data=%7B%22worker%22%3A%22$ID%22%2C%22%5Cu0077orker%22%3A%22$OTHER%22%7D'],
      ['__proto__', 'data=%7B%22__proto__%22%3A%7B%22worker%22%3A%22$ID%22%7D%7D'],
      ['__proto__ beside it', 'data=%7B%22worker%22%3A%22$ID%22%2C%22__proto__%22%3A%7B%7D%7D'],
      ['constructor', 'data=%7B%22worker%22%3A%22$ID%22%2C%22constructor%22%3A%7B%7D%7D'],
      ['self', form({ worker: '$ID', self: 1 })],
      ['an unknown argument', form({ worker: '$ID', evil: true })],
      ['an argument in capitals', form({ Worker: '$ID' })],
      ['an argument in full width', form({ ｗorker: '$ID' })],
      ['a list as the id', form({ worker: ['$ID'] })],
      ['a number as the id', form({ worker: 1 })],
      ['no id', EVIL],
      ['thirty levels more than there may be', `data=%7B%22worker%22%3A${'%5B'.repeat(60)}${'%5D'.repeat(60)}%7D`],
      ['ten thousand levels', `data=%7B%22worker%22%3A${'%5B'.repeat(10_000)}${'%5D'.repeat(10_000)}%7D`],
      ['NaN', 'data=%7B%22worker%22%3ANaN%7D'],
      ['Infinity', 'data=%7B%22worker%22%3AInfinity%7D'],
    ] as const
  ).map(([what, body]) => one(`a form with ${what}`, request(body), BAD)),
  ...(
    [
      ['another worker', form({ worker: '$OTHER' })],
      ['a suffix of another worker', form({ worker: '$OTHER:x' })],
      ['a suffix with a space', form({ worker: '$ID:a b' })],
      ['the id in capitals', form({ worker: '$UPPER' })],
      ['a prefix of the id', form({ worker: '$ID'.slice(0, 3) && 'x$ID' })],
    ] as const
  ).map(([what, body]) => one(`a call for ${what}`, request(body), [403])),
  one('a suffix of its own', request(form({ worker: '$ID:sub-1' })), [200], 'ping'),
  one('a plus for a space', request(PING.replace('%3A', '%3A+')), [200], 'ping'),
  one('escapes in small letters', request(PING.toLowerCase().replaceAll('$id', '$ID')), [200], 'ping'),
];

const TASK = { task_id: 'sales.A_1_0123456789', family: 'sales.A', worker: '$ID', status: 'PENDING' };

function add(
  what: string,
  more: Record<string, JsonValue>,
  statuses: readonly number[],
  reaches: Reaches = 'nothing',
): Case {
  return one(
    `a task with ${what}`,
    request(form({ ...TASK, ...more }), { path: '/luigid/api/add_task' }),
    statuses,
    reaches,
  );
}

const TASKS: readonly Case[] = [
  add('its own names', { params: { a: '1' }, deps: ['sales.B_1'] }, [200], 'add_task'),
  add('an id of another namespace', { task_id: 'web.A_1' }, [403]),
  add('a family of another namespace', { family: 'web.A' }, [403]),
  add('an id and a family of another namespace', { task_id: 'web.A_1', family: 'web.A' }, [403]),
  add('an id that only begins as its namespace', { task_id: 'salesx.A_1', family: 'salesx.A' }, [403]),
  add('an id without a namespace', { task_id: 'A_1', family: 'A' }, [403]),
  add('a family that is another’s beginning', { task_id: 'sales.AB_1', family: 'sales.A' }, [403]),
  add('a dot behind the family', { task_id: 'sales.A_1.web.B_1' }, [403]),
  add('a requirement of another namespace', { deps: ['sales.B_1', 'web.B_1'] }, [403]),
  add('a new requirement of another namespace', { new_deps: ['web.B_1'] }, [403]),
  add('an assistant', { assistant: true }, [403]),
  add('a batch of nobody', { batch_id: '0123456789abcdef0123456789abcdef' }, [403]),
  add('a text as its resources', { resources: { a: '1' } }, BAD),
  add('a negative resource', { resources: { a: -1 } }, BAD),
  add('a text as its priority', { priority: 'high' }, BAD),
  add('a status that there is not', { status: 'OWNED' }, BAD),
  add('a retry policy with more', { retry_policy_dict: { evil: 1 } }, BAD),
  one(
    'a priority that is not kept',
    request(form(TASK).replace('%7D', '%2C%22priority%22%3A9007199254740993%7D'), { path: '/luigid/api/add_task' }),
    BAD,
  ),
  one(
    'a priority without bound',
    request(form(TASK).replace('%7D', '%2C%22priority%22%3A1e999%7D'), { path: '/luigid/api/add_task' }),
    BAD,
  ),
  one(
    'a worker that would be an assistant',
    request(form({ worker: '$ID', info: { assistant: true } }), { path: '/luigid/api/add_worker' }),
    BAD,
  ),
  one(
    'a worker with a field of luigid’s',
    request(form({ worker: '$ID', info: [['name', 'x']] }), { path: '/luigid/api/add_worker' }),
    BAD,
  ),
  one(
    'a worker whose count is a text',
    request(form({ worker: '$ID', info: [['workers', '9']] }), { path: '/luigid/api/add_worker' }),
    BAD,
  ),
  one(
    'a worker whose root is another’s',
    request(form({ worker: '$ID', info: [['first_task', 'web.A_1']] }), { path: '/luigid/api/add_worker' }),
    [403],
  ),
];

const MANY: readonly Case[] = [
  {
    what: 'a second request behind the first',
    text: request().replace(CLOSE, '') + PRUNE,
    statuses: [200],
    reaches: 'ping',
    answers: 2,
  },
  { what: 'a second request behind a bad one', text: request('x').replace(CLOSE, '') + request(), statuses: [400] },
  { what: 'a body that comes late', text: request(), pieces: 2, statuses: [200], reaches: 'ping' },
  { what: 'a head and a body in pieces', text: request(), pieces: 12, statuses: [200], reaches: 'ping' },
];

const CASES = [...FRAMING, ...HEADERS, ...PATHS, ...FORMS, ...TASKS, ...MANY];

describe('raw calls to luigid', function () {
  this.timeout(60_000);
  let world: LuigidWorld;
  let own: { id: string; token: string };
  let other: { id: string; token: string };
  before(async () => {
    world = await LuigidWorld.start();
    own = world.worker('sales');
    other = world.worker('web');
  });
  after(() => world?.close());

  /** With the test's words filled in; the length of the body last. */
  function filled(template: string): string {
    const chunks = PING.replaceAll('$ID', own.id);
    const text = template
      .replaceAll(
        '$CHUNKED',
        `5\r\n${chunks.slice(0, 5)}\r\n${(chunks.length - 5).toString(16)}\r\n${chunks.slice(5)}\r\n0\r\n\r\n`,
      )
      .replaceAll('$AUTH', `Authorization: Bearer ${own.token}`)
      .replaceAll('$ID', own.id)
      .replaceAll('$UPPER', own.id.toUpperCase())
      .replaceAll('$OTHER', other.id);
    const body = text.slice(text.indexOf('\r\n\r\n') + 4).split('POST /')[0] ?? '';
    return text.replaceAll('$LENGTH', String(body.length));
  }

  function cut(text: string, pieces: number): string[] {
    const size = Math.ceil(text.length / pieces);
    return Array.from({ length: pieces }, (_, i) => text.slice(i * size, (i + 1) * size));
  }

  /** Exactly what the gateway writes, and nothing that somebody sent. */
  function checkSent(reaches: Reaches): void {
    const sent = world.sentToLuigid();
    assert.equal(sent.length, reaches === 'nothing' ? 0 : 1, JSON.stringify(sent));
    for (const { line, headers, body } of sent) {
      assert.equal(line, `POST /api/${reaches} HTTP/1.1`);
      const names = headers.map((header) => header.split(':')[0]?.toLowerCase()).sort();
      assert.deepEqual(names, ['accept', 'connection', 'content-length', 'content-type', 'host']);
      const given = JSON.parse(decodeURIComponent(body.slice('data='.length)));
      assert.equal(body, `data=${encodeURIComponent(JSON.stringify(given))}`);
      assert.ok(String(given.worker).startsWith(own.id));
    }
  }

  for (const { what, text, pieces = 1, statuses, reaches = 'nothing', answers = 1 } of CASES) {
    it(`with ${what} bring luigid ${reaches === 'nothing' ? 'nothing' : `one ${reaches}`}`, async () => {
      const answer = await world.raw(...cut(filled(text), pieces));
      const found = [...answer.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status));
      if (statuses.includes(0) && found.length === 0) return checkSent(reaches);
      assert.ok(statuses.includes(found[0] ?? 0), answer.slice(0, 600));
      assert.ok(found.length <= answers, answer);
      // Nothing behind the first is a success.
      assert.ok(
        found.slice(1).every((status) => status >= 400),
        answer,
      );
      checkSent(reaches);
    });
  }
});

describe('answers of luigid', function () {
  this.timeout(60_000);
  let world: LuigidWorld;
  before(async () => {
    world = await LuigidWorld.start();
  });
  after(() => world?.close());

  const HOSTILE = [
    'a\r\nSet-Cookie: x=1',
    '\r\n\r\n<script>',
    '\u2028',
    '\u0000',
    '</pre><img src=x onerror=alert(1)>',
    '\ud800',
  ];

  for (const [i, text] of HOSTILE.entries())
    it(`carry ${JSON.stringify(text)} as text and nothing else, wherever it is echoed`, async () => {
      const { id, token } = world.worker('sales');
      const headers = { authorization: `Bearer ${token}` };
      const taskId = `sales.Echo_${i}`;
      const given = {
        task_id: taskId,
        family: 'sales.Echo',
        worker: id,
        status: 'FAILED',
        module: text,
        expl: text,
        params: { p: text },
      };
      assert.equal((await world.call('add_task', given, headers)).status, 200);
      assert.equal(
        (await world.call('set_task_status_message', { task_id: taskId, status_message: text }, headers)).status,
        200,
      );
      await world.call(
        'add_worker',
        {
          worker: id,
          info: [
            ['host', text],
            ['workers', 1],
          ],
        },
        headers,
      );
      const cookie = world.person('rita', { read: ['sales'] });
      for (const [method, asked] of [
        ['fetch_error', { task_id: taskId }],
        ['task_list', { status: 'FAILED' }],
        ['get_task_status_message', { task_id: taskId }],
        ['dep_graph', { task_id: taskId }],
        ['worker_list', {}],
      ] as const) {
        const answer = await world.look(method, asked, cookie);
        assert.equal(answer.status, 200, `${method}: ${answer.text}`);
        assert.equal(answer.headers['set-cookie'], undefined);
        assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
        assert.equal(answer.headers['x-content-type-options'], 'nosniff');
        assert.deepEqual(Object.keys(answer.json() as object), ['response']);
        if (method === 'get_task_status_message') assert.doesNotMatch(answer.text, /</);
      }
    });

  it('have no link that a browser would run', async () => {
    const { id, token } = world.worker('sales');
    const cookie = world.person('rita', { read: ['sales'] });
    for (const url of [
      'javascript:alert(1)',
      ' javascript:alert(1)',
      'java\nscript:alert(1)',
      'data:text/html,x',
      'vbscript:x',
      '//x',
      'JaVaScRiPt:x',
    ]) {
      const given = { task_id: 'sales.Link_1', family: 'sales.Link', worker: id, status: 'PENDING', tracking_url: url };
      assert.equal((await world.call('add_task', given, { authorization: `Bearer ${token}` })).status, 200);
      // And one that luigid has from before there was a gateway.
      await world.direct('add_task', { ...given, task_id: 'sales.Link_2' });
      const answer = await world.look('dep_graph', { task_id: 'sales.Link_2' }, cookie);
      assert.equal(answer.status, 200);
      assert.doesNotMatch(answer.text, /script:|data:|\/\/x/i);
      assert.doesNotMatch(
        JSON.stringify(await world.direct('dep_graph', { task_id: 'sales.Link_1' })),
        /script:|data:|\/\/x/i,
      );
    }
  });
});

describe('calls to luigid, changed at random', function () {
  this.timeout(120_000);
  let world: LuigidWorld;
  let own: { id: string; token: string };
  before(async () => {
    world = await LuigidWorld.start();
    own = world.worker('sales');
    world.worker('web');
  });
  after(() => world?.close());

  const VALID: readonly [string, (id: string) => Record<string, JsonValue>][] = [
    ['ping', (worker) => ({ worker })],
    ['get_work', (worker) => ({ worker, host: 'h', assistant: false, current_tasks: [] })],
    [
      'add_worker',
      (worker) => ({
        worker,
        info: [
          ['workers', 2],
          ['host', 'h'],
        ],
      }),
    ],
    [
      'add_task',
      (worker) => ({ worker, task_id: 'sales.A_1', family: 'sales.A', deps: ['sales.B_1'], params: { a: 'b' } }),
    ],
    ['set_task_status_message', () => ({ task_id: 'sales.A_1', status_message: 'm' })],
    ['count_pending', (worker) => ({ worker })],
  ];
  const junk = fc.oneof(
    fc.constantFrom(
      '%',
      '%00',
      '&',
      '&data=',
      ';',
      '=',
      '+',
      '%0d%0a',
      '"',
      '%22',
      '\\',
      '%5C',
      '{',
      '%7B',
      '[',
      ':',
      ',',
      '%2C',
      '/',
      '..',
      '?',
      '#',
      '\t',
      '\xa0',
      'web.A_1',
    ),
    fc.string({ maxLength: 4 }),
  );
  const change = fc.record({ at: fc.nat(), cut: fc.nat({ max: 6 }), put: junk });
  const paths = fc.oneof({ weight: 5, arbitrary: fc.constant('') }, { weight: 1, arbitrary: junk });

  it('bring it an own call of a worker that the gateway wrote, or nothing', async () => {
    const index = fc.nat({ max: VALID.length - 1 });
    await fc.assert(
      fc.asyncProperty(index, fc.array(change, { maxLength: 3 }), paths, async (which, changes, suffix) => {
        const [method, given] = VALID[which] as (typeof VALID)[number];
        let body = `data=${encodeURIComponent(JSON.stringify(given(own.id)))}`;
        for (const { at, cut, put } of changes) {
          const from = at % (body.length + 1);
          body = body.slice(0, from) + put + body.slice(from + cut);
        }
        const bytes = Buffer.from(body, 'latin1');
        const head = `POST /luigid/api/${method}${suffix} HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer ${own.token}\r\n${FORM}\r\nContent-Length: ${bytes.length}\r\nConnection: close\r\n\r\n`;
        await world.raw(Buffer.concat([Buffer.from(head, 'latin1'), bytes]));
        for (const { line, body: sent } of world.sentToLuigid()) checkOwn(line, sent);
      }),
      { numRuns: 400 },
    );
  });

  function checkOwn(line: string, body: string): void {
    const name = /^POST \/api\/([a-z_]+) HTTP\/1\.1$/.exec(line)?.[1] ?? '';
    const kind = LUIGID_METHODS.get(name)?.kind;
    assert.ok(kind === 'worker' || kind === 'read', line);
    const given = JSON.parse(decodeURIComponent(body.slice(5)));
    assert.equal(body, `data=${encodeURIComponent(JSON.stringify(given))}`);
    if (given.worker !== undefined)
      assert.match(given.worker, new RegExp(`^${own.id.replaceAll('.', '\\.')}(:[\\w.-]{1,64})?$`));
    const names = [given.task_id, given.family, ...(given.deps ?? []), ...(given.current_tasks ?? [])];
    for (const one of names) if (one) assert.match(one, /^sales\./);
    assert.notEqual(given.assistant, true);
  }
});
