"""Pictures from hosts that the owner chose: fetched with care, decoded, written anew, kept."""
