import { CAPS, cutText } from './caps.ts';
import type { ReportFrame } from './schema.ts';

/** Public parameters, names and values cut. */
export function buildParameters(parameters: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(parameters).slice(0, CAPS.parameters);
  return Object.fromEntries(
    entries.map(([name, value]) => [cutText(name, CAPS.parameterValue), cutText(value, CAPS.parameterValue)]),
  );
}

export function buildTime(ms: number | undefined): number | undefined {
  return ms === undefined || !Number.isFinite(ms) ? undefined : Math.round(ms);
}

export function buildCount(count: number): number {
  return Number.isSafeInteger(count) && count > 0 ? count : 0;
}

/** A file of the checkout is told as the repository knows it, whatever folder the agent used. */
export function buildFrame(frame: ReportFrame, checkout: string | undefined): ReportFrame {
  const file = cutText(insideCheckout(frame.file, checkout) ?? frame.file, CAPS.name);
  return { file, line: buildCount(frame.line), function: cutText(frame.function, CAPS.name) };
}

function insideCheckout(file: string, checkout: string | undefined): string | undefined {
  if (!checkout || !file.startsWith(checkout)) return undefined;
  const rest = file.slice(checkout.length);
  return /^[\\/]/.test(rest) ? rest.slice(1).replaceAll('\\', '/') : undefined;
}
