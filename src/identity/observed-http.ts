import { PlumblineError } from '#core/errors.ts';
import type { Http } from '#http/http.ts';

export interface ObservedHttp extends Http {
  /** Why the last request had no answer that says anything about the identity: the network, or a server that is not well. */
  trouble(): PlumblineError | undefined;
}

/** MSAL turns every failure into an error of its own kind; this keeps the one that really happened. */
export function observedHttp(http: Http): ObservedHttp {
  let trouble: PlumblineError | undefined;
  return {
    network: http.network,
    trouble: () => trouble,
    request: async (request) => {
      trouble = undefined;
      try {
        const response = await http.request(request);
        if (response.status === 429 || response.status >= 500) response.requireOk();
        return response;
      } catch (thrown) {
        if (thrown instanceof PlumblineError) trouble = thrown;
        throw thrown;
      }
    },
  };
}
