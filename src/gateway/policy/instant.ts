const DAY = /^(\d{4})-(\d{2})-(\d{2})/;

/** A day (its first instant in UTC) or an instant with its zone as milliseconds since the epoch; `undefined` when there is none such. */
export function parseInstant(text: string): number | undefined {
  const [, year, month, day] = DAY.exec(text) ?? [];
  // Date makes the first of March out of the 30th of February.
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}
