import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { SignIn, SignInRequest } from '../sign-in/sign-in.ts';
import type { Page } from '../sign-in/sign-in-pages.ts';
import { CALLBACK_PATH, SIGN_IN_PATH, SIGN_OUT_PATH } from '../sign-in/sign-in-paths.ts';
import type { AppServices } from './app-services.ts';

const FORM = 'application/x-www-form-urlencoded';
const MAX_BODY_BYTES = 1_024;

type Answer = (request: SignInRequest) => Page | Promise<Page>;

/** People's way in and out. These pages are for browsers, and are no part of the API: they answer with HTML, and redirect. */
export async function addSignInRoutes(app: FastifyInstance, services: AppServices, signIn: SignIn): Promise<void> {
  const options = { config: { person: true }, schema: { hide: true }, bodyLimit: MAX_BODY_BYTES } as const;
  const answering = (answer: Answer) => async (request: FastifyRequest, reply: FastifyReply) =>
    send(await answer(signInRequest(request)), request, reply, services);
  await app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    // The form of a page has no field.
    scope.addContentTypeParser(FORM, { parseAs: 'buffer' }, (_request, _body, taken) => taken(null, undefined));
    scope.get(SIGN_IN_PATH, { ...options, handler: answering((request) => signIn.begin(request)) });
    scope.get(CALLBACK_PATH, { ...options, handler: answering((request) => signIn.finish(request)) });
    scope.get(SIGN_OUT_PATH, { ...options, handler: answering(() => signIn.signOutPage()) });
    scope.post(SIGN_OUT_PATH, { ...options, handler: answering((request) => signIn.signOut(request)) });
    done();
  });
}

function signInRequest({ id, ip, method, headers, raw: { url = '' } }: FastifyRequest): SignInRequest {
  const at = url.indexOf('?');
  return { requestId: id, address: ip, method, headers, query: at === -1 ? '' : url.slice(at) };
}

function send(page: Page, request: FastifyRequest, reply: FastifyReply, { metrics }: AppServices): FastifyReply {
  const { status, headers, body, problem } = page;
  if (problem !== undefined) {
    metrics.refused(problem.code, problem.reason);
    request.log.info(problem, 'request refused');
  }
  return reply.code(status).headers(headers).serializer(String).send(body);
}
