"""The vendor's terminal as a child of ours: its folder, its states, and a supervisor that keeps it alive."""
