import type { FaultDeclaration } from './declaration.ts';
import type { Incoming } from './exchange.ts';

/** Decides which declared faults a request meets, in their order; a fault counts the requests it matches. */
export class Faults {
  readonly #faults: {
    readonly declared: FaultDeclaration;
    readonly matches: (request: Incoming) => boolean;
    seen: number;
  }[];

  constructor(declared: readonly FaultDeclaration[]) {
    this.#faults = declared.map((fault) => ({ declared: fault, matches: matcher(fault), seen: 0 }));
  }

  /** Every latency that applies and, last, the first fault that ends the exchange. */
  hit(request: Incoming): readonly FaultDeclaration[] {
    const hits: FaultDeclaration[] = [];
    for (const fault of this.#faults) {
      if (!fault.matches(request) || !isDue(fault.declared, fault.seen++)) continue;
      hits.push(fault.declared);
      if (fault.declared.kind !== 'latency') break;
    }
    return hits;
  }
}

function isDue({ skip = 0, count = Number.POSITIVE_INFINITY }: FaultDeclaration, seen: number): boolean {
  return seen >= skip && seen < skip + count;
}

function matcher({ host, path, method }: FaultDeclaration): (request: Incoming) => boolean {
  const hosts = wildcard(host);
  const paths = wildcard(path ?? '*');
  return (request) =>
    hosts.test(request.host) &&
    paths.test(request.url.pathname) &&
    (method === undefined || method.toUpperCase() === request.method);
}

function wildcard(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 'i');
}
