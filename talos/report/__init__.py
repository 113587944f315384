"""What people read: tables, listings and summaries of programs and verifications. No computation of its own."""
