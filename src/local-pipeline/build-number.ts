const DATE_PARTS = /yyyy|yy|MM|dd|HH|mm|ss/g;

/** The run's number from the pipeline's `name:`: `$(Date:…)`, `$(Rev:r)`, `$(Year:yyyy)` …, then variables. A local run is revision 1. */
export function buildNumber(format: string, at: Date, lookUp: (name: string) => string | undefined): string {
  return format.replace(/\$\(([^()]*)\)/g, (macro, name: string) => dated(name, at) ?? lookUp(name) ?? macro);
}

function dated(name: string, at: Date): string | undefined {
  const [, kind = '', pattern = ''] = /^([A-Za-z]+):(.*)$/.exec(name) ?? [];
  if (kind.toLowerCase() === 'date' || kind.toLowerCase() === 'year')
    return pattern.replace(DATE_PARTS, (part) => datePart(part, at));
  if (kind.toLowerCase() === 'rev') return pattern.replace(/r+/, (digits) => '1'.padStart(digits.length, '0'));
  return undefined;
}

function datePart(part: string, at: Date): string {
  const [date = '', time = ''] = at.toISOString().split('T');
  const [year = '', month = '', day = ''] = date.split('-');
  const [hours = '', minutes = '', seconds = ''] = time.split(/[:.]/);
  const parts: Readonly<Record<string, string>> = {
    yyyy: year,
    yy: year.slice(2),
    MM: month,
    dd: day,
    HH: hours,
    mm: minutes,
    ss: seconds,
  };
  return parts[part] ?? part;
}
