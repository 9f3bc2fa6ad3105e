import type { Namespaces } from '../policy/luigid-access.ts';

/** What somebody may see of an answer of luigid. */
export interface AnswerView {
  readonly namespaces: Namespaces;
  /** Parameters that Luigi hides from its pages (`visibility=HIDDEN`); they stand in what luigid tells of a failure. */
  readonly hiddenParameters: boolean;
  /** For luigid's own pages, which put some texts into a document as HTML. */
  readonly forPages: boolean;
  /** Namespaces of the worker that lives under this id. */
  readonly namespacesOfWorker: (workerId: string) => readonly string[] | undefined;
}
