import type { ProfileName } from '../caller.ts';
import { azureConnection } from './azure-connection.ts';
import { azurePipelines } from './azure-pipelines.ts';
import { entra } from './entra.ts';
import { github } from './github.ts';
import { gitlab } from './gitlab.ts';
import { kubernetes } from './kubernetes.ts';
import { oidc } from './oidc.ts';
import type { Profile } from './profile.ts';

const PROFILE: Readonly<Record<ProfileName, Profile>> = {
  'azure-pipelines': azurePipelines,
  'azure-connection': azureConnection,
  entra,
  gitlab,
  github,
  kubernetes,
  oidc,
};

export function profileOf(name: ProfileName): Profile {
  return PROFILE[name];
}
