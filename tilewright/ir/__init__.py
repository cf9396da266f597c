"""The two IR levels, the plan between them and the runtime, and what checks and runs them."""
