/** One `##vso[area.event key=value;…]data` line. Area, event and property names are lower case here; they have no case. */
export interface LoggingCommand {
  readonly area: string;
  readonly event: string;
  readonly properties: ReadonlyMap<string, string>;
  readonly data: string;
}

const PREFIX = '##vso[';
const ESCAPES = [
  [';', '%3B'],
  ['\r', '%0D'],
  ['\n', '%0A'],
  [']', '%5D'],
] as const;

/**
 * Reads the first command of a line, wherever in the line it begins, by the agent's rules (Command.cs, facts checked with
 * the vectors of its LoggingCommandL0). `undefined`: the line is no command.
 */
export function parseLoggingCommand(line: string, decodePercents = true): LoggingCommand | undefined {
  const start = line.indexOf(PREFIX);
  const end = start < 0 ? -1 : line.indexOf(']', start);
  if (end < 0) return undefined;
  const info = line.slice(start + PREFIX.length, end);
  const space = info.indexOf(' ');
  const names = (space < 0 ? info : info.slice(0, space)).split('.').filter((part) => part !== '');
  const [area, event] = names;
  if (area === undefined || event === undefined || names.length !== 2) return undefined;
  const properties = space > 0 ? parseProperties(info.slice(space + 1), decodePercents) : new Map<string, string>();
  return {
    area: area.toLowerCase(),
    event: event.toLowerCase(),
    properties,
    data: unescapeData(line.slice(end + 1), decodePercents),
  };
}

/** A property without a value is dropped, as the agent drops it. */
function parseProperties(text: string, decodePercents: boolean): Map<string, string> {
  const properties = new Map<string, string>();
  for (const pair of text.split(';')) {
    const trimmed = pair.replace(/^=+/, '');
    const equals = trimmed.indexOf('=');
    if (equals > 0 && equals < trimmed.length - 1) {
      properties.set(trimmed.slice(0, equals).toLowerCase(), unescapeData(trimmed.slice(equals + 1), decodePercents));
    }
  }
  return properties;
}

export function unescapeData(text: string, decodePercents = true): string {
  const plain = ESCAPES.reduce((result, [token, code]) => result.replaceAll(code, token), text);
  return decodePercents ? plain.replaceAll('%AZP25', '%') : plain;
}

export function escapeData(text: string, encodePercents = true): string {
  const safe = encodePercents ? text.replaceAll('%', '%AZP25') : text;
  return ESCAPES.reduce((result, [token, code]) => result.replaceAll(token, code), safe);
}
