import { isIPv4, isIPv6 } from 'node:net';
import type { ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { JsonValue } from '#core/json.ts';

/**
 * The formats that Airflow's jsonschema checks with what Airflow 2.11.2 and 3.3.2 install, as it checks them (jsonschema 4.26); here it
 * accepts any text for all others. For `date-time` it takes RFC 3339, and Airflow 2 whatever its own ISO 8601 parser reads beside it;
 * Airflow 3 checks it only where rfc3339-validator is installed.
 */
const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  date: isDate,
  'date-time': isDateTime,
  time: (text) => /^(?:2[0-3]|[01]?\d):[0-5]?\d:(?:6[01]|[0-5]?\d)$/.test(text),
  email: (text) => text.includes('@'),
  'idn-email': (text) => text.includes('@'),
  ipv4: isIPv4,
  ipv6: (text) => isIPv6(text) && !text.includes('%'),
  uuid: (text) => /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i.test(text),
};

const ajv = new Ajv2020({
  allErrors: true,
  strict: false,
  logger: false,
  // Python's expressions are not those of the `u` flag.
  unicodeRegExp: false,
  validateSchema: false,
  addUsedSchema: false,
  formats: FORMATS,
});

/** `undefined` for a schema that is none, or that says things which only Python understands. */
export function compileParamSchema(schema: Readonly<Record<string, JsonValue>>): ValidateFunction | undefined {
  try {
    return ajv.compile(schema);
  } catch {
    return undefined;
  }
}

function isDate(text: string): boolean {
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text) ?? [];
  if (year === undefined) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.getUTCMonth() + 1 === Number(month) && date.getUTCDate() === Number(day);
}

const DATE_TIME = /^(\d{4}-\d{2}-\d{2})[Tt ]\d{2}:?\d{2}(?::?\d{2}(?:[.,]\d+)?)?(?:[Zz]|[+-]\d{2}(?::?\d{2})?)?$/;

function isDateTime(text: string): boolean {
  const [, day] = DATE_TIME.exec(text) ?? [];
  return day !== undefined && isDate(day);
}
