const text = (description: string) => ({ type: 'string', description });
const object = (properties: object, required: readonly string[] = Object.keys(properties)) => ({
  type: 'object',
  additionalProperties: false,
  required,
  properties,
});

const target = {
  type: 'object',
  required: ['kind', 'audience'],
  properties: { kind: { enum: ['azure', 'aws', 'google', 'file'] }, audience: text('Who takes the token.') },
  description: 'Where the identity is good, and what its libraries have to be told.',
};

const taskToken = {
  $id: 'TaskToken',
  description: 'RFC 8693 §2.2.1.',
  ...object({
    access_token: text('A JWT of this issuer, for one task and one audience.'),
    issued_token_type: { const: 'urn:ietf:params:oauth:token-type:jwt' },
    token_type: { const: 'N_A' },
    expires_in: { type: 'integer', minimum: 0, description: 'Seconds.' },
    plumbline: object({
      identity: { type: ['string', 'null'], description: 'Name in the policy; null: for this gateway alone.' },
      audience: text('Of this token.'),
      renewAfter: { type: 'integer', minimum: 1, description: 'Seconds.' },
      targets: { type: 'array', items: target },
    }),
  }),
};

const refused = {
  $id: 'TaskTokenRefused',
  description: 'RFC 6749 §5.2. The worker ends its run, unless mode is report: then the task goes on without a token.',
  ...object({
    error: { enum: ['invalid_request', 'invalid_grant', 'invalid_target', 'access_denied'] },
    error_description: { type: 'string' },
    code: { const: 'ERR_IDENTITY_REJECTED' },
    reason: text('A stable word.'),
    mode: { enum: ['report', 'enforce'] },
  }),
};

/** Schemas of `POST /v1/token`. */
export const TOKEN_SCHEMAS = [taskToken, refused] as const;
