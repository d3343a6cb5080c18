terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # 5.86.0 breaks off at rules that remove delete markers (its issue 41277).
      version = ">= 5.70, != 5.86.0, < 7.0"
    }
  }
}
