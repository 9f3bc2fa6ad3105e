import type { Reply } from './exchange.ts';

/** A refusal in the words of Azure DevOps Services. */
export class DevOpsError extends Error {
  override readonly name = 'DevOpsError';
  readonly status: number;
  readonly typeKey: string;
  readonly namespace: string;

  constructor(status: number, typeKey: string, message: string, namespace = 'Microsoft.VisualStudio.Services.Common') {
    super(message);
    this.status = status;
    this.typeKey = typeKey;
    this.namespace = namespace;
  }

  reply(): Reply {
    const typeName = `${this.namespace}.${this.typeKey}, ${this.namespace}`;
    const eventId = this.typeKey.startsWith('Vss') ? 0 : 3000;
    return {
      status: this.status,
      body: {
        $id: '1',
        innerException: null,
        message: this.message,
        typeName,
        typeKey: this.typeKey,
        errorCode: 0,
        eventId,
      },
    };
  }
}

export function invalidArgument(message: string): DevOpsError {
  return new DevOpsError(400, 'InvalidArgumentValueException', message, 'Microsoft.TeamFoundation');
}
