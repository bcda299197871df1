package deskhand

// PlanTool is the name of the tool with which a model proposes a Plan.
const PlanTool = "propose_plan"

// Plan is what a model proposes to do. Once a person has accepted it, the gate
// holds the task to it: what goes beyond it is asked about.
type Plan struct {
	Steps      []string `json:"steps" doc:"What you will do, in order, each in one short sentence."`
	Folders    []string `json:"folders,omitempty" doc:"Absolute paths of folders in which you will add or change files. Your own home directory and /tmp need not be listed."`
	Deletions  []string `json:"deletions,omitempty" doc:"Absolute paths of what you will delete; a * within a name stands for any text, ** for any folders."`
	Sites      []string `json:"sites,omitempty" doc:"Hosts you will contact, such as example.org, or *.example.org for all below it."`
	Programs   []string `json:"programs,omitempty" doc:"Commands you will run in the shell and programs you will use on the screen, by name, such as git or gimp."`
	Connectors []string `json:"connectors,omitempty" doc:"Names of further tools you will call."`
	Success    []string `json:"success,omitempty" doc:"What will be so when you are done, so that it can be checked from outside: file:/PATH, text:WORDS ON THE SCREEN, window:TITLE, command:SHELL LINE THAT SUCCEEDS, or a statement about the screen."`
	MaxTurns   int      `json:"max_turns,omitempty" doc:"How many replies you will need at most."`
	MaxCostUSD float64  `json:"max_cost_usd,omitempty" doc:"What it may cost at most, in US dollars."`
}
