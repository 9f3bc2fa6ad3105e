const text = (description: string) => ({ type: 'string', description });

/** As the policy names its grants. */
const grant = {
  type: 'string',
  minLength: 1,
  maxLength: 64,
  description: 'Of the policy, when several are for this Airflow.',
};

const request = {
  $id: 'AirflowTokenRequest',
  description: 'As whom.',
  type: 'object',
  additionalProperties: false,
  properties: { grant },
};

const token = {
  $id: 'AirflowToken',
  description: 'RFC 6749 §5.1, with whom it is for.',
  type: 'object',
  additionalProperties: false,
  required: ['access_token', 'token_type', 'expires_in', 'user', 'url'],
  properties: {
    access_token: text('A JWT for the API of this Airflow.'),
    token_type: { const: 'Bearer' },
    expires_in: { type: 'integer', minimum: 0, description: 'Seconds.' },
    user: text("Airflow's user; with FabAuthManager its numeric id."),
    role: { enum: ['viewer', 'user', 'op', 'admin'], description: 'With SimpleAuthManager.' },
    url: text('Of the Airflow. The token is to be sent to this origin and to no other.'),
  },
};

/** Of whoever verifies tokens: RFC 7517 §5. */
export const AIRFLOW_KEYS = {
  type: 'object',
  required: ['keys'],
  properties: {
    keys: {
      type: 'array',
      minItems: 2,
      items: {
        type: 'object',
        required: ['kty', 'use', 'alg', 'kid'],
        properties: {
          kty: { enum: ['RSA', 'OKP'] },
          use: { const: 'sig' },
          alg: { enum: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'EdDSA'] },
          kid: text('Of one key in this set.'),
          n: text('RSA.'),
          e: text('RSA.'),
          crv: { const: 'Ed25519' },
          x: text('Ed25519.'),
        },
      },
    },
  },
} as const;

/** Schemas of `POST /v1/airflow/{name}/token`. */
export const AIRFLOW_SCHEMAS = [request, token] as const;
