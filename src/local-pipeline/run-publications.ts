import type { Attachment } from './step-record.ts';

export interface PublishedArtifact {
  readonly name: string;
  readonly type: string;
  readonly location: string;
}

/** What logging commands published to the run itself. */
export class RunPublications {
  readonly tags = new Set<string>();
  readonly attachments: Attachment[] = [];
  readonly artifacts: PublishedArtifact[] = [];
  buildNumber: string;

  constructor(buildNumber: string) {
    this.buildNumber = buildNumber;
  }
}
