"""An operation of another package: what somebody writes who adds one, and no file of ours."""
